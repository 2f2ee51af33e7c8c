<?php
/**
 * Plugin Name: Steelyard object cache
 * Description: Keeps WordPress's object cache in Redis. Put here by Steelyard, which also takes it away again.
 * Version: 1
 *
 * Where: WP_REDIS_PATH (a socket), else WP_REDIS_HOST and WP_REDIS_PORT; WP_REDIS_PASSWORD is [user, password] or a
 * password. Every key begins with WP_REDIS_PREFIX; without it, or without Redis, the cache lasts for the request alone.
 *
 *     PREFIXgen                         a hash: `all` and `g:GROUP` are generations, `proof` asks for a proof
 *     PREFIXGENERATION:BLOG:GROUP:KEY   a value
 *
 * To flush is to begin a new generation: one write, however many keys; what is old goes by its time to live.
 * While Redis is away nothing is read from it for some seconds, and what it holds is flushed when it is back: it missed
 * what changed.
 */

defined('ABSPATH') || exit;

function wp_cache_init() { $GLOBALS['wp_object_cache'] = new WP_Object_Cache(); }
function wp_cache_add($key, $data, $group = '', $expire = 0) { return $GLOBALS['wp_object_cache']->add($key, $data, $group, (int) $expire); }
function wp_cache_add_multiple(array $data, $group = '', $expire = 0) { return $GLOBALS['wp_object_cache']->each('add', $data, $group, (int) $expire); }
function wp_cache_replace($key, $data, $group = '', $expire = 0) { return $GLOBALS['wp_object_cache']->replace($key, $data, $group, (int) $expire); }
function wp_cache_set($key, $data, $group = '', $expire = 0) { return $GLOBALS['wp_object_cache']->set($key, $data, $group, (int) $expire); }
function wp_cache_set_multiple(array $data, $group = '', $expire = 0) { return $GLOBALS['wp_object_cache']->each('set', $data, $group, (int) $expire); }
function wp_cache_get($key, $group = '', $force = false, &$found = null) { return $GLOBALS['wp_object_cache']->get($key, $group, $force, $found); }
function wp_cache_get_multiple($keys, $group = '', $force = false) { return $GLOBALS['wp_object_cache']->get_multiple($keys, $group, $force); }
function wp_cache_delete($key, $group = '') { return $GLOBALS['wp_object_cache']->delete($key, $group); }
function wp_cache_delete_multiple(array $keys, $group = '') { return $GLOBALS['wp_object_cache']->delete_multiple($keys, $group); }
function wp_cache_incr($key, $offset = 1, $group = '') { return $GLOBALS['wp_object_cache']->incr($key, (int) $offset, $group); }
function wp_cache_decr($key, $offset = 1, $group = '') { return $GLOBALS['wp_object_cache']->incr($key, -(int) $offset, $group); }
function wp_cache_flush() { return $GLOBALS['wp_object_cache']->flush(); }
function wp_cache_flush_runtime() { return $GLOBALS['wp_object_cache']->flush_runtime(); }
function wp_cache_flush_group($group) { return $GLOBALS['wp_object_cache']->flush_group($group); }
function wp_cache_supports($feature) { return in_array($feature, ['add_multiple', 'set_multiple', 'get_multiple', 'delete_multiple', 'flush_runtime', 'flush_group'], true); }
function wp_cache_close() { return $GLOBALS['wp_object_cache']->close(); }
function wp_cache_add_global_groups($groups) { $GLOBALS['wp_object_cache']->add_global_groups($groups); }
function wp_cache_add_non_persistent_groups($groups) { $GLOBALS['wp_object_cache']->add_non_persistent_groups($groups); }
function wp_cache_switch_to_blog($blog_id) { $GLOBALS['wp_object_cache']->switch_to_blog($blog_id); }
function wp_cache_reset() { $GLOBALS['wp_object_cache']->flush_runtime(); }

#[AllowDynamicProperties]
class WP_Object_Cache
{
    private const AWAY = 5;            // seconds for which Redis is not asked after it did not answer
    private const LONGEST = 604800;    // seconds after which any value goes: nothing of an old generation stays

    public $cache_hits = 0;            // as core has them: of the request and of Redis together
    public $cache_misses = 0;
    public $redis_hits = 0;            // values that came from Redis
    public $global_groups = [];
    public $blog_prefix = '';

    private $values = [];              // of this request, by key in Redis
    private $here_only = [];           // groups that are not kept beyond the request
    private $generations = [];
    private $prefix = '';
    private $multisite = false;
    private $redis = null;

    public function __construct()
    {
        $this->prefix = defined('WP_REDIS_PREFIX') ? (string) WP_REDIS_PREFIX : '';
        $this->multisite = function_exists('is_multisite') && is_multisite();
        $this->blog_prefix = $this->multisite ? get_current_blog_id() . ':' : '';
        if ($this->prefix !== '' && class_exists('Redis')) {
            $this->connect();
        }
    }

    public function add($key, $data, $group = 'default', $expire = 0)
    {
        if (function_exists('wp_suspend_cache_addition') && wp_suspend_cache_addition()) {
            return false;
        }
        return $this->store($key, $data, $group, $expire, 'nx');
    }

    public function replace($key, $data, $group = 'default', $expire = 0)
    {
        return $this->store($key, $data, $group, $expire, 'xx');
    }

    public function set($key, $data, $group = 'default', $expire = 0)
    {
        return $this->store($key, $data, $group, $expire, null);
    }

    /** `add` or `set` of many values by key. */
    public function each($how, array $data, $group, $expire)
    {
        $done = [];
        foreach ($data as $key => $value) {
            $done[$key] = $this->$how($key, $value, $group, $expire);
        }
        return $done;
    }

    public function get($key, $group = 'default', $force = false, &$found = null)
    {
        $found = false;
        if (!$this->is_valid($key)) {
            return false;
        }
        $id = $this->id($key, $group);
        if (array_key_exists($id, $this->values) && (!$force || !$this->is_kept($group))) {
            $found = true;
            $this->cache_hits++;
            return $this->copied($this->values[$id]);
        }
        $text = $this->is_kept($group) ? $this->asked('get', $id) : false;
        return $this->taken($id, $text, $found);
    }

    public function get_multiple($keys, $group = 'default', $force = false)
    {
        $answers = $missing = [];
        foreach ($keys as $key) {
            $answers[$key] = false;
            if (!$this->is_valid($key)) {
                continue;
            }
            $id = $this->id($key, $group);
            if (array_key_exists($id, $this->values) && (!$force || !$this->is_kept($group))) {
                $this->cache_hits++;
                $answers[$key] = $this->copied($this->values[$id]);
            } else {
                $missing[$key] = $id;
            }
        }
        $texts = $missing && $this->is_kept($group) ? $this->asked('mget', array_values($missing)) : false;
        foreach (array_keys($missing) as $place => $key) {
            $answers[$key] = $this->taken($missing[$key], is_array($texts) ? $texts[$place] : false, $found);
        }
        return $answers;
    }

    public function delete($key, $group = 'default')
    {
        return $this->delete_multiple([$key], $group)[$key] ?? false;
    }

    public function delete_multiple(array $keys, $group = 'default')
    {
        $done = [];
        foreach ($keys as $key) {
            $done[$key] = false;
            if ($this->is_valid($key)) {
                $id = $this->id($key, $group);
                $here = array_key_exists($id, $this->values);
                unset($this->values[$id]);
                $done[$key] = $this->is_kept($group) ? $this->asked('del', $id) > 0 : $here;
            }
        }
        return $done;
    }

    /** Adds to a number, never below 0; what is no number counts as 0. False where there is none. */
    public function incr($key, $offset, $group = 'default')
    {
        $value = $this->get($key, $group, true, $found);
        if (!$found) {
            return false;
        }
        $id = $this->id($key, $group);
        if ($this->is_kept($group) && is_int($value) && $value + $offset >= 0) {
            $sum = $this->asked('incrBy', $id, $offset);   // in one step: others count as well
            if (is_int($sum) && $sum >= 0) {
                return $this->values[$id] = $sum;
            }
        }
        $sum = max(0, (is_numeric($value) ? $value + 0 : 0) + $offset);
        return $this->set($key, $sum, $group) ? $sum : false;
    }

    public function flush()
    {
        $this->values = [];
        return !$this->redis || $this->begin('all');
    }

    public function flush_runtime()
    {
        $this->values = [];
        return true;
    }

    public function flush_group($group)
    {
        $start = $this->start($group);
        foreach (array_keys($this->values) as $id) {
            if (strncmp($id, $start, strlen($start)) === 0) {
                unset($this->values[$id]);
            }
        }
        return !$this->is_kept($group) || $this->begin('g:' . $group);
    }

    /** At the end of a request; answers the proof that was asked for: how many values Redis gave it. */
    public function close()
    {
        if ($this->redis && isset($this->generations['proof'])) {
            $proof = ['hits' => $this->redis_hits, 'hit' => $this->redis_hits > 0, 'sapi' => PHP_SAPI];
            $this->asked('setex', $this->prefix . 'proof:' . $this->generations['proof'], 60, json_encode($proof));
        }
        return true;
    }

    public function add_global_groups($groups)
    {
        $this->global_groups += array_fill_keys((array) $groups, true);
    }

    public function add_non_persistent_groups($groups)
    {
        $this->here_only += array_fill_keys((array) $groups, true);
    }

    public function switch_to_blog($blog_id)
    {
        $this->blog_prefix = $this->multisite ? (int) $blog_id . ':' : '';
    }

    public function stats()
    {
        echo '<p>Steelyard object cache: ', (int) $this->cache_hits, ' hits (', (int) $this->redis_hits, ' of Redis), ',
            (int) $this->cache_misses, ' misses</p>';
    }

    private function store($key, $data, $group, $expire, $only)
    {
        if (!$this->is_valid($key)) {
            return false;
        }
        $id = $this->id($key, $group);
        $data = $this->copied($data);
        if (!$this->is_kept($group)) {
            $here = array_key_exists($id, $this->values);
            if ($only === 'nx' && $here || $only === 'xx' && !$here) {
                return false;
            }
        } else {
            $life = $expire > 0 ? min($expire, self::LONGEST) : self::LONGEST;
            $options = $only === null ? ['ex' => $life] : [$only, 'ex' => $life];
            $text = is_int($data) ? (string) $data : serialize($data);
            if (!$this->asked('set', $id, $text, $options) && $this->redis) {
                $only === null && $this->asked('del', $id);   // no room: better no value than the one before
                return false;
            }
        }
        $this->values[$id] = $data;
        return true;
    }

    /** A value as Redis gave it, counted; false where it gave none. */
    private function taken($id, $text, &$found)
    {
        $found = is_string($text);
        $value = false;
        if ($found) {
            $value = preg_match('/^-?\d{1,19}$/D', $text) ? (int) $text : @unserialize($text);
            $found = $value !== false || $text === 'b:0;';
        }
        if (!$found) {
            $this->cache_misses++;
            return false;
        }
        $this->cache_hits++;
        $this->redis_hits++;
        $this->values[$id] = $value;
        return $this->copied($value);
    }

    private function copied($value)
    {
        return is_object($value) ? clone $value : $value;
    }

    private function is_valid($key)
    {
        return is_int($key) || is_string($key) && trim($key) !== '';
    }

    private function is_kept($group)
    {
        return $this->redis && !isset($this->here_only[$group === '' ? 'default' : $group]);
    }

    private function id($key, $group)
    {
        return $this->start($group) . $key;
    }

    /** How the keys of a group begin: no group's is the beginning of another's. */
    private function start($group)
    {
        $group = $group === '' || $group === null ? 'default' : (string) $group;
        $own = $this->generations['g:' . $group] ?? '';
        $blog = isset($this->global_groups[$group]) ? '' : $this->blog_prefix;
        return $this->prefix . ($this->generations['all'] ?? '') . ":$blog" . strtr($group, [':' => '%3A', '%' => '%25']) . "@$own:";
    }

    private function begin($of)
    {
        $generation = bin2hex(random_bytes(5));
        $this->generations[$of] = $generation;
        return $this->asked('hSet', $this->prefix . 'gen', $of, $generation) !== false;
    }

    private function connect()
    {
        $marker = $this->marker();
        $was_away = @filemtime($marker);
        if ($was_away && time() - $was_away < self::AWAY) {
            return;
        }
        $this->redis = new Redis();
        try {
            $this->sign_in();
            $this->generations = $this->redis->hGetAll($this->prefix . 'gen') ?: [];
            if ($was_away && @unlink($marker)) {
                $this->begin('all');
            } elseif (!isset($this->generations['all'])) {
                $this->redis->hSetNx($this->prefix . 'gen', 'all', bin2hex(random_bytes(5)));
                $this->generations['all'] = $this->redis->hGet($this->prefix . 'gen', 'all');
            }
        } catch (Exception $away) {
            $this->away();
        }
    }

    private function sign_in()
    {
        $path = defined('WP_REDIS_PATH') ? WP_REDIS_PATH : '';
        $host = defined('WP_REDIS_HOST') ? WP_REDIS_HOST : '127.0.0.1';
        $port = defined('WP_REDIS_PORT') ? (int) WP_REDIS_PORT : 6379;
        $reached = $path ? @$this->redis->connect($path) : @$this->redis->connect($host, $port, 0.5, null, 0, 1.0);
        if (!$reached) {
            throw new Exception('Redis does not answer');
        }
        if (defined('WP_REDIS_PASSWORD') && WP_REDIS_PASSWORD) {
            $this->redis->auth(WP_REDIS_PASSWORD);
        }
        if (defined('WP_REDIS_DATABASE') && WP_REDIS_DATABASE) {
            $this->redis->select((int) WP_REDIS_DATABASE);
        }
    }

    /** What Redis answers; false where it is away. */
    private function asked($command, ...$words)
    {
        if (!$this->redis) {
            return false;
        }
        try {
            return $this->redis->$command(...$words);
        } catch (Exception $away) {
            $this->away();
            return false;
        }
    }

    /** For the rest of this request, and some seconds of the next ones, there is no Redis. */
    private function away()
    {
        $this->redis = null;
        @touch($this->marker());
    }

    private function marker()
    {
        $password = defined('WP_REDIS_PASSWORD') ? json_encode(WP_REDIS_PASSWORD) : '';
        return sys_get_temp_dir() . '/steelyard-' . hash('sha256', $this->prefix . $password . __FILE__);
    }
}
