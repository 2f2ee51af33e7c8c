<?php
// The object cache's whole interface, against the Redis that argv names; says what did not hold.
define('ABSPATH', '/');
define('WP_REDIS_PATH', $argv[2]);
define('WP_REDIS_PASSWORD', ['admin', getenv('REDIS_PASSWORD')]);
define('WP_REDIS_PREFIX', 'test-00000000:');
$multisite = $argv[3] === 'network';
function is_multisite() { return $GLOBALS['multisite']; }
function get_current_blog_id() { return 1; }
function wp_suspend_cache_addition() { return $GLOBALS['suspended'] ?? false; }
require $argv[1];

$wrong = [];
function is($expected, $found, $what) {
    if ($expected !== $found) {
        $GLOBALS['wrong'][] = "$what: expected " . var_export($expected, true) . ', found ' . var_export($found, true);
    }
}
/** A new request: nothing is held in memory. */
function again() {
    wp_cache_init();
    wp_cache_add_global_groups(['users', 'site-options']);
    wp_cache_add_non_persistent_groups('counts');
}

again();
is(true, wp_cache_flush(), 'flush');
foreach ([0, 1, -5, PHP_INT_MAX, 1.5, '12', '007', '', 'text', "bin\0\xff", true, false, null, [], ['a' => [1, 2]], 'b:0;'] as $at => $value) {
    is(true, wp_cache_set("k$at", $value), "set $at");
    again();
    is($value, wp_cache_get("k$at", '', false, $found), "get $at");
    is(true, $found, "found $at");
}
$object = new stdClass(); $object->a = 1;
wp_cache_set('object', $object); $object->a = 2;
is(1, wp_cache_get('object')->a, 'a copy was kept');
wp_cache_get('object')->a = 3;
again();
is(1, wp_cache_get('object')->a, 'a copy was given');
again();
is(1, wp_cache_get_multiple(['object'])['object']->a, 'an object among several');

is(false, wp_cache_get('missing', '', false, $found), 'get missing');
is(false, $found, 'found missing');
is(true, wp_cache_add('added', 1), 'add');
is(false, wp_cache_add('added', 2), 'add again');
again();
is(false, wp_cache_add('added', 2), 'add again in a new request');
is(1, wp_cache_get('added'), 'added');
is(false, wp_cache_replace('absent', 1), 'replace absent');
is(true, wp_cache_replace('added', 3), 'replace');
again();
is(3, wp_cache_get('added'), 'replaced');
$suspended = true;
is(false, wp_cache_add('suspended', 1), 'add while suspended');
$suspended = false;

is(5, wp_cache_incr('added', 2), 'incr');
is(4, wp_cache_decr('added'), 'decr');
is(0, wp_cache_decr('added', 100), 'never below 0');
again();
is(0, wp_cache_get('added'), 'decremented');
is(false, wp_cache_incr('absent'), 'incr absent');
wp_cache_set('word', 'abc');
is(2, wp_cache_incr('word', 2), 'what is no number counts as 0');

is(true, wp_cache_delete('word'), 'delete');
is(false, wp_cache_delete('word'), 'delete again');
again();
is(false, wp_cache_get('word'), 'deleted');
is(['x' => true, 'y' => true], wp_cache_set_multiple(['x' => 1, 'y' => 2], 'many'), 'set_multiple');
again();
is(['x' => 1, 'none' => false, 'y' => 2], wp_cache_get_multiple(['x', 'none', 'y'], 'many'), 'get_multiple');
is(['x' => false, 'z' => true], wp_cache_add_multiple(['x' => 9, 'z' => 3], 'many'), 'add_multiple');
is(['x' => true, 'none' => false], wp_cache_delete_multiple(['x', 'none'], 'many'), 'delete_multiple');
is([], wp_cache_get_multiple([], 'many'), 'get_multiple of nothing');

foreach (['', '  ', null, 1.5, []] as $key) {
    is(false, @wp_cache_set($key, 1), 'an odd key');
    is(false, @wp_cache_get($key), 'an odd key');
}
wp_cache_set(7, 'seven');
is('seven', wp_cache_get('7'), 'a number as a key');
wp_cache_set('b:c', 1, 'a');
wp_cache_set('c', 2, 'a:b');
wp_cache_set('x', 3, 'a@');
again();
is([1, 2], [wp_cache_get('b:c', 'a'), wp_cache_get('c', 'a:b')], 'colons part nothing');

wp_cache_set('one', 1, 'group');
wp_cache_set('one', 2, 'group2');
is(true, wp_cache_flush_group('group'), 'flush_group');
is([false, 2], [wp_cache_get('one', 'group'), wp_cache_get('one', 'group2')], 'one group was flushed');
again();
is([false, 2], [wp_cache_get('one', 'group'), wp_cache_get('one', 'group2')], 'one group was flushed for good');
is(true, wp_cache_set('one', 5, 'group') && wp_cache_get('one', 'group') === 5, 'a flushed group is used again');

wp_cache_set('c', 1, 'counts');
is(1, wp_cache_get('c', 'counts'), 'not kept, here');
is(false, wp_cache_replace('d', 1, 'counts'), 'not kept, replace');
again();
is(false, wp_cache_get('c', 'counts'), 'not kept, gone');

wp_cache_set('o', 'blog 1', 'options');
wp_cache_set('u', 'all', 'users');
wp_cache_switch_to_blog(2);
is($multisite ? false : 'blog 1', wp_cache_get('o', 'options'), 'a blog has its own');
is('all', wp_cache_get('u', 'users'), 'a global group is of all');
wp_cache_switch_to_blog(1);
is('blog 1', wp_cache_get('o', 'options'), 'back at the blog');

wp_cache_set('short', 1, '', 1);
again();
is(1, wp_cache_get('short'), 'before its end');
usleep(1100000);
is(1, wp_cache_get('short'), 'held by the request');
is(false, wp_cache_get('short', '', true), 'after its end');

wp_cache_set('f', 1);
is(true, wp_cache_flush_runtime(), 'flush_runtime');
is(1, wp_cache_get('f'), 'Redis holds on');
is(true, wp_cache_flush(), 'flush');
is(false, wp_cache_get('f'), 'flushed');
again();
is(false, wp_cache_get('f'), 'flushed for good');
foreach (['add_multiple', 'flush_group', 'flush_runtime'] as $feature) {
    is(true, wp_cache_supports($feature), $feature);
}
is(false, wp_cache_supports('tea'), 'supports');
is(true, $wp_object_cache->cache_misses > 0 && is_int($wp_object_cache->cache_hits), 'counters');
is(true, wp_cache_close(), 'close');
echo json_encode($wrong);
