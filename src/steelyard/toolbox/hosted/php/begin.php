<?php
// Stands before each of our scripts: what it was given, and how it answers. Nothing else that PHP writes counts.
$steelyard_path = $argv[1];
$given = json_decode(file_get_contents(
    strncmp($steelyard_path, '/dev/fd/', 8) === 0 ? 'php://fd/' . substr($steelyard_path, 8) : $steelyard_path), true);
function steelyard_answer(array $told) {
    static $answered = false;
    if ($answered) {
        return;
    }
    $answered = true;
    while (ob_get_level()) {
        ob_end_clean();
    }
    echo "\n\x1eSTEELYARD ", json_encode((object) $told, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES), "\n";
}
ob_start();
