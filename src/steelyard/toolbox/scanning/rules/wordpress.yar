// What is done to WordPress: options, administrators, plugins that hide, mailers. Written for Steelyard; Apache-2.0.

rule eval_of_option {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "code is kept in the database and run from there"
    strings:
        $run = /\b(eval|assert)\s*\(\s*[@"'?>. ]*((base64_decode|gzinflate|str_rot13|stripslashes|gzuncompress)\s*\(\s*){0,3}(get_option|get_transient|get_site_option|get_post_meta|get_theme_mod)\s*\(/ nocase
    condition:
        $run
}

rule option_opens_the_site {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "makes every new account an administrator"
    strings:
        $role = /update_option\s*\(\s*["']default_role["']\s*,\s*["']administrator["']/ nocase
        $table = /UPDATE[^;]{1,60}options[^;]{1,80}administrator[^;]{1,80}default_role/ nocase
    condition:
        any of them
}

rule option_sends_visitors_away {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "gives the site another address"
    strings:
        $address = /update_option\s*\(\s*["'](siteurl|home)["']\s*,\s*["']https?:/ nocase
        $table = /UPDATE[^;"']{1,60}options[^;"']{0,20}SET\s+option_value\s*=\s*\\?["']https?:[^;]{1,120}(siteurl|home)/ nocase
    condition:
        any of them
}

rule makes_an_administrator {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "makes an administrator with a password that stands in the code"
    strings:
        $create = /\bwp_(create|insert)_user\s*\(/
        $written = /\bwp_create_user\s*\(\s*["'][^"']{1,60}["']\s*,\s*["']/
        $role = /(set_role|add_role|add_cap)\s*\(\s*["']administrator["']|["']role["']\s*=>\s*["']administrator["']/
        $password = /["']user_pass["']\s*=>\s*["'][^"']|\$(pass|password|pw|user_pass)\s*=\s*["'][^"'\s]{4,}["']\s*;/ nocase
        $kept = /WP_CLI|PHPUnit|WP_UnitTestCase|class\s+\w*Test\b/
    condition:
        $role and ($written or ($create and $password)) and not $kept
}

rule hides_a_user {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "keeps an account out of the list of users"
    strings:
        $query = /add_(action|filter)\s*\(\s*["']pre_user_query["']/
        $except = /user_login\s*(!=|<>|NOT\s+IN|NOT\s+LIKE)/ nocase
        $views = "views_users"
        $less = /["'](administrator|all)["']\s*\]\s*\[\s*["']count["']|\$views\s*\[\s*["'](all|administrator)["']\s*\]\s*=\s*(preg_replace|str_replace|sprintf)/
    condition:
        ($query and $except) or ($query and $views and $less)
}

rule signs_in_without_a_password {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "whoever knows an address is signed in as an administrator"
    strings:
        $cookie = /wp_set_auth_cookie\s*\(/
        $any = /get_users\s*\(\s*(array\s*\(|\[)\s*["']role["']\s*=>\s*["']administrator["']|wp_set_auth_cookie\s*\(\s*["']?1\b|get_user_by\s*\(\s*["']id["']\s*,\s*["']?1\b/ nocase
        $asked = /\$_(GET|REQUEST|COOKIE)\s*\[/
        $kept = /wp_verify_nonce|check_admin_referer|check_ajax_referer|current_user_can|hash_equals|wp_check_password|WP_CLI|wp_signon/
    condition:
        $cookie and $any and $asked and not $kept
}

rule plugin_that_hides {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "a plugin that takes itself out of the list of plugins"
    strings:
        $header = /Plugin Name\s*:/ nocase
        $filter = /add_(filter|action)\s*\(\s*["'](all_plugins|pre_current_active_plugins)["']/
        $unset = /unset\s*\(\s*\$\w+(->\w+)?\s*\[\s*(plugin_basename|\$|["'])/
        $able = /[^>:\w](eval|assert|base64_decode|gzinflate|system|shell_exec|passthru|file_put_contents|wp_create_user|wp_insert_user|move_uploaded_file)\s*\(/ nocase
    condition:
        $header and $filter and $unset and $able
}

rule fake_plugin {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "the header of a plugin before a door"
    strings:
        $header = /Plugin Name\s*:/ nocase
    condition:
        $header and filesize < 60KB and
        (eval_of_request or command_of_request or request_names_the_function or eval_of_decoded or uploader
         or writes_what_is_sent or function_in_a_variable_gets_request or fetches_and_runs)
}

rule mailer {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "sends mail to a list that a visitor gives"
    strings:
        $list = /\$_(POST|GET|REQUEST)\s*\[\s*["'](emaillist|email_list|emails|maillist|mail_list|mails|tolist|to_list|recipients|leads|listemail|ssend)["']\s*\]/ nocase
        $each = /\b(foreach|while|for)\s*\(/
        $mail = /[^>:\w]@?mail\s*\(\s*\$/
        $kept = /wp_verify_nonce|check_admin_referer|current_user_can/
    condition:
        $list and $each and $mail and not $kept
}

rule includes_an_image {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "an image is run as code"
    strings:
        $image = /[^\w'"$](include|require)(_once)?(\s*\(|\s)[^;\n<]{0,80}\.(ico|png|jpe?g|gif|bmp|webp)["']\s*\)?\s*;/ nocase
        $coded = /@(include|require)(_once)?\s*\(?\s*"[^";\n]{0,100}\\(x[0-9a-f]{2}|1[0-7]{2})[^";\n]{0,200}"/ nocase
    condition:
        any of them
}

rule php_in_an_image {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "a picture, a font or a sheet that holds PHP which does something"
    strings:
        $php = /<\?php[\s\/#]/ nocase
        $able = /\b(eval|assert|system|exec|shell_exec|passthru|popen|proc_open|base64_decode|gzinflate|move_uploaded_file|file_put_contents|fwrite|create_function|preg_replace|str_rot13)\s*\(|\$_(GET|POST|REQUEST|COOKIE|FILES)/ nocase
    condition:
        $php and $able and
        (uint32be(0) == 0x89504e47 or uint32be(0) == 0x47494638 or uint16be(0) == 0xffd8 or uint32be(0) == 0x00000100
         or extension matches /^\.?(ico|png|jpe?g|gif|bmp|webp|svg|woff2?|ttf|eot|css|pdf|mp4|mp3)$/i)
}

rule redirects_those_who_search {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "sends on visitors who come from a search engine, or shows them something else"
    strings:
        $from = /(HTTP_REFERER|HTTP_USER_AGENT)[^;]{0,160}(google|bing|yahoo|yandex|baidu|bot)/ nocase
        $away = /header\s*\(\s*["']Location:\s*(["']\s*\.\s*(base64_decode|str_rot13)|https?:\/\/[a-z0-9.-]+\/[^"']{0,80}["'])/ nocase
        $shown = /echo\s+@?(file_get_contents|curl_exec)\s*\(\s*["'$]?(https?|base64)/ nocase
    condition:
        $from and ($away or $shown)
}

rule script_that_decodes_itself {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "a script that is written out from codes"
    strings:
        $codes = /eval\s*\(\s*String\.fromCharCode\s*\(\s*[0-9]{2,3}\s*,/
        $written = /document\.write\s*\(\s*(unescape\s*\(\s*["']%3[cC]|atob\s*\(|String\.fromCharCode\s*\(\s*60\s*,)/
        $made = /=\s*String\.fromCharCode\s*\(\s*104\s*,\s*116\s*,\s*116\s*,\s*112/
    condition:
        any of them
}
