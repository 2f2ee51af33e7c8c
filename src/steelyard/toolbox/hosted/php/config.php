<?php
// Asks a wp-config.php what it defines, without loading WordPress. Given: its path, the folder of WordPress or ''.
// For configurations that cannot be read as text. Runs as the site's own user, whose code this is.
(function ($config, $core) {
    $source = file_get_contents($config);
    $source = preg_replace('/^[ \t]*(?:require|include)(?:_once)?\b[^;]*wp-settings\.php[^;]*;/mi', '', $source);
    $source = preg_replace('/\b__FILE__\b/', var_export($config, true), $source);
    $source = preg_replace('/\b__DIR__\b/', var_export(dirname($config), true), $source);
    defined('ABSPATH') || define('ABSPATH', ($core === '' ? dirname($config) : $core) . '/');
    chdir(dirname($config));
    $before = get_defined_constants(true)['user'] ?? [];
    $answer = function () use (&$table_prefix, $before) {
        $constants = array_diff_key(get_defined_constants(true)['user'] ?? [], $before);
        $plain = array_filter($constants, function ($value) {
            return is_scalar($value) || $value === null;
        });
        $prefix = $table_prefix ?? $GLOBALS['table_prefix'] ?? '';
        steelyard_answer(['constants' => (object) $plain, 'prefix' => $prefix]);
    };
    register_shutdown_function($answer);
    eval('?>' . $source);
    $answer();
})(...$given);
