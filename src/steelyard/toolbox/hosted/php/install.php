<?php
// Installs WordPress into a prefix of its own, as its installer does, without one request over the network: its probes
// of permalinks wait up to ten seconds for a web server that hangs. Given: `core`, `database` (name, user, password,
// host, charset, collate), `prefix`, `url`, `title`, `login`, `email`, `hash` (of the password), `language`,
// `template` (whether to answer what the tables hold then). Nothing of a site's own code is loaded.
(function ($told) {
    $GLOBALS['table_prefix'] = $told['prefix'];
    $GLOBALS['steelyard'] = $told;
})($given[0]);
define('ABSPATH', rtrim($steelyard['core'], '/') . '/');
define('DB_NAME', $steelyard['database']['name']);
define('DB_USER', $steelyard['database']['user']);
define('DB_PASSWORD', $steelyard['database']['password']);
define('DB_HOST', $steelyard['database']['host']);
define('DB_CHARSET', $steelyard['database']['charset'] === '' ? 'utf8mb4' : $steelyard['database']['charset']);
define('DB_COLLATE', $steelyard['database']['collate']);
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $steelyard_salt) {
    define($steelyard_salt . '_KEY', bin2hex(random_bytes(32)));
    define($steelyard_salt . '_SALT', bin2hex(random_bytes(32)));
}
define('WP_SITEURL', $steelyard['url']);
define('WP_INSTALLING', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
$_SERVER += ['HTTP_HOST' => 'localhost', 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REQUEST_METHOD' => 'GET'];
function wp_new_blog_notification() {}
register_shutdown_function(function () {
    $last = error_get_last();
    steelyard_answer(['failed' => 'WordPress stopped as it was installed: ' . ($last['message'] ?? 'it does not say why')]);
});
require ABSPATH . 'wp-settings.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_http_request', function () {
    return new WP_Error('steelyard', 'no requests');
}, PHP_INT_MAX);
$wpdb->query('DROP TABLE IF EXISTS ' . implode(', ', array_map(function ($name) {
    return "`$name`";
}, $wpdb->tables('all', true))));
if ($steelyard['language'] !== 'en_US') {
    load_default_textdomain($steelyard['language']);
    $GLOBALS['wp_locale'] = new WP_Locale();
}
$steelyard_language = $steelyard['language'] === 'en_US' ? '' : $steelyard['language'];
$steelyard_made = wp_install($steelyard['title'], $steelyard['login'], $steelyard['email'], true, '',
    bin2hex(random_bytes(16)), $steelyard_language);
$wpdb->update($wpdb->users, ['user_pass' => $steelyard['hash']], ['ID' => $steelyard_made['user_id']]);
$wpdb->query("DELETE FROM {$wpdb->usermeta} WHERE meta_key = 'default_password_nag'");
if (!$steelyard['template']) {
    steelyard_answer(['user' => (int) $steelyard_made['user_id']]);
    exit;
}
$steelyard_tables = ['schema' => [], 'rows' => []];
preg_match_all('/^CREATE TABLE (\S+) \(.*?^\)[^;]*;/ms', wp_get_db_schema('all'), $steelyard_schema, PREG_SET_ORDER);
foreach ($steelyard_schema as [$steelyard_text, $steelyard_name]) {
    $steelyard_short = substr($steelyard_name, strlen($table_prefix));
    $steelyard_inner = preg_replace('/\)[^)]*;\z/', ')', substr($steelyard_text, strpos($steelyard_text, '(')));
    $steelyard_tables['schema'][] = [$steelyard_short, $steelyard_inner];
    $steelyard_rows = $wpdb->get_results("SELECT * FROM `$steelyard_name` ORDER BY 1", ARRAY_A);
    if ($steelyard_rows) {
        $steelyard_tables['rows'][$steelyard_short] = ['columns' => array_keys($steelyard_rows[0]),
            'rows' => array_map('array_values', $steelyard_rows)];
    }
}
steelyard_answer(['version' => $wp_version, 'locale' => $steelyard['language'], 'made' => time()] + $steelyard_tables);
