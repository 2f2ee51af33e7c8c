// Code that does what a visitor sends: doors, command shells, uploaders. Written for Steelyard; Apache-2.0.

rule eval_of_request {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "what a visitor sends is run as code"
    strings:
        $run = /\b(eval|assert)\s*\(\s*[@"'?>. ]*((stripslashes|base64_decode|gzinflate|gzuncompress|str_rot13|urldecode|rawurldecode|hex2bin|trim|strrev)\s*\(\s*@?){0,4}\$\{?_(GET|POST|REQUEST|COOKIE|SERVER|FILES)/ nocase
    condition:
        $run
}

rule request_names_the_function {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "a visitor says which function is called"
    strings:
        $called = /\$_(GET|POST|REQUEST|COOKIE)\s*[\[{]\s*["']?\w{1,40}["']?\s*[\]}]\s*\(\s*[^)]/ nocase
        $given = /\b(call_user_func|call_user_func_array|array_map|register_shutdown_function|register_tick_function)\s*\(\s*@?\$_(GET|POST|REQUEST|COOKIE)/ nocase
        $sorted = /\b(usort|uasort|uksort|array_walk|array_filter|array_walk_recursive|array_reduce|array_diff_ukey|iterator_apply)\s*\(\s*[^;]{0,60}\$_(GET|POST|REQUEST|COOKIE)[^;]{0,40},\s*["'](assert|eval|system|exec|passthru|shell_exec|popen)["']/ nocase
        $cookies = /\$(\w{1,20})\s*=\s*(array_values\s*\()?\s*\$_COOKIE\s*\)?\s*;/ nocase
        $indexed = /\$\w{1,20}\s*\[\s*[0-9]{1,3}\s*\]\s*\(\s*\$\w{1,20}\s*\[\s*[0-9]{1,3}\s*\]/
    condition:
        $called or $given or $sorted or ($cookies and $indexed)
}

rule function_in_a_variable_gets_request {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "a function whose name is in a variable is given what a visitor sends"
    strings:
        $called = /[;{}\s@=(]\$\w{1,40}\s*\(\s*@?((stripslashes|base64_decode|gzinflate|str_rot13|urldecode)\s*\(\s*)?\$_(GET|POST|REQUEST|COOKIE)\s*\[/ nocase
        $made = /\$\w{1,40}\s*=\s*(base64_decode|str_rot13|strrev|hex2bin|str_replace|substr|chr|implode|join|gzinflate|pack)\s*\(/ nocase
        $pieces = /\$\w{1,40}\s*=\s*["'][a-z0-9_]{1,8}["']\s*\.\s*["'][a-z0-9_]{1,8}["']/ nocase
        $plain = /\$\w{1,40}\s*=\s*["'](assert|eval|system|exec|shell_exec|passthru|popen|create_function)["']\s*;/ nocase
    condition:
        $called and ($made or $pieces or $plain) and filesize < 100KB
}

rule command_of_request {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "what a visitor sends is run as a command"
    strings:
        $direct = /[^>:\w](system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec)\s*\(\s*@?((base64_decode|stripslashes|urldecode|trim|hex2bin|str_rot13)\s*\(\s*)?["']?\{?\$_(GET|POST|REQUEST|COOKIE|SERVER\s*\[\s*["']HTTP_)/ nocase
        $ticked = /(=|echo|print|return|\()\s*`\s*["']?\{?\$_(GET|POST|REQUEST|COOKIE)\s*\[/
        $asked = /\$(cmd|command|c|com|exec|execute|comando|komut|perintah|in|x)\s*=\s*[^;\n]{0,60}\$_(GET|POST|REQUEST|COOKIE)\s*\[/ nocase
        $done = /[^>:\w](system|exec|shell_exec|passthru|popen|proc_open)\s*\(\s*["']?\{?\$(cmd|command|c|com|exec|execute|comando|komut|perintah|in|x)\b/ nocase
        $tick = /`\s*\$(cmd|command|c|com|exec)\s*`/ nocase
    condition:
        $direct or $ticked or ($asked and ($done or $tick))
}

rule connects_back {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "opens a shell to another machine"
    strings:
        $tcp = "/dev/tcp/"
        $interactive = /\/bin\/(ba|z|k|da)?sh\s+-i/
        $socket = /\b(fsockopen|pfsockopen|stream_socket_client|socket_connect)\s*\(/ nocase
        $process = /\b(proc_open|shell_exec|popen|pcntl_exec|passthru)\s*\(/ nocase
        $perl = "perl -MIO -e" nocase
        $python = /python[23]? -c ["']import (socket|pty)/
        $netcat = /\bnc\s+-(e|c|lvp)\s/
    condition:
        ($interactive and $socket and $process) or ($tcp and ($process or $interactive)) or (any of ($perl, $python, $netcat) and $process)
}

rule many_tools_of_a_shell {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "files, commands and the machine in one page: a web shell"
    strings:
        $run1 = /[^>:\w]shell_exec\s*\(/ nocase
        $run2 = /[^>:\w]passthru\s*\(/ nocase
        $run3 = /[^>:\w]proc_open\s*\(/ nocase
        $run4 = /[^>:\w]popen\s*\(/ nocase
        $run5 = /[^>:\w]system\s*\(/ nocase
        $run6 = /[^>:\w]eval\s*\(\s*@?\$/ nocase
        $host1 = "php_uname" nocase
        $host2 = "disable_functions" nocase
        $host3 = "posix_getpwuid" nocase
        $host4 = "/etc/passwd"
        $host5 = "safe_mode" nocase
        $host6 = /get_current_user\s*\(|posix_getgrgid/ nocase
        $files1 = /[^>:\w]fileperms\s*\(/ nocase
        $files2 = /[^>:\w]chmod\s*\(\s*@?\$_(GET|POST|REQUEST)/ nocase
        $files3 = /[^>:\w](unlink|rmdir|rename)\s*\(\s*@?\$_(GET|POST|REQUEST)/ nocase
        $files4 = "move_uploaded_file" nocase
        $files5 = /[^>:\w]scandir\s*\(\s*\$|[^>:\w]opendir\s*\(\s*\$/ nocase
        $asked = /\$_(GET|POST|REQUEST|COOKIE)\s*\[/
        $page = /<(form|input|textarea|title)\b/ nocase
    condition:
        $asked and $page and 2 of ($run*) and 2 of ($host*) and 2 of ($files*)
}

rule shell_by_its_name {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "calls itself what known web shells are called"
    strings:
        $name = /\b(FilesMan|c99sh(ell)?|r57sh(ell)?|b374k|WSO_VERSION|wso2_?shell|IndoXploit|AnonymousFox|alfa[_ ]?team ?shell|p0wny|0byt3m1n1|Mini ?Shell by|Uploader by|Hacked By|web ?shell by|backdoor ?shell)\b/ nocase
        $able = /[^>:\w](eval|assert|system|exec|shell_exec|passthru|popen|proc_open|move_uploaded_file|file_put_contents|fwrite|copy|base64_decode|gzinflate)\s*\(/ nocase
        $php = "<?php" nocase
    condition:
        $php and $name and $able
}

rule password_before_a_door {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "a password of its own stands before something that runs, writes or uploads"
    strings:
        $gate = /\b(md5|sha1|crypt)\s*\(\s*((md5|sha1)\s*\(\s*)?\$_(GET|POST|REQUEST|COOKIE|SERVER)\s*\[[^\]]{1,40}\]\s*\)\s*\)?\s*[!=]==?\s*["'$]/ nocase
        $turned = /["'][0-9a-f]{32,40}["']\s*[!=]==?\s*(md5|sha1)\s*\(\s*((md5|sha1)\s*\(\s*)?\$_(GET|POST|REQUEST|COOKIE|SERVER)/ nocase
        $set = /\$(auth_?pass|pass_?word|passwd|pwd)\s*=\s*["'][0-9a-f]{32}["']\s*;/ nocase
        $asked = /(md5|sha1)\s*\(\s*@?\$_(POST|GET|REQUEST|COOKIE)\s*\[/ nocase
        $door = /[^>:\w](eval|assert|system|shell_exec|passthru|popen|proc_open|move_uploaded_file|create_function)\s*\(|[^>:\w](file_put_contents|fwrite)\s*\([^;]{0,80}\$_(GET|POST|REQUEST)/ nocase
    condition:
        $door and ($gate or $turned or ($set and $asked))
}

rule uploader {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "takes any file from any visitor"
    strings:
        $move = /\b(move_uploaded_file|copy)\s*\(\s*@?\$_FILES\s*\[[^\]]{1,40}\]\s*\[\s*["']?tmp_name/ nocase
        $bound = /\$\w{1,30}\s*=\s*@?\$_FILES\s*\[[^\]]{1,40}\]\s*\[\s*["']?tmp_name/ nocase
        $moves = /\b(move_uploaded_file|copy)\s*\(\s*\$/ nocase
        $form = /multipart\/form-data|type\s*=\s*\\?["']?file/ nocase
        $kept1 = "current_user_can"
        $kept2 = /wp_verify_nonce|check_admin_referer|check_ajax_referer/
        $kept3 = /\b(namespace|class|interface|trait)\s+\w+/
        $kept4 = /session_start|require_once|wp_handle_upload|is_granted|isGranted|csrf/ nocase
    condition:
        filesize < 20KB and $form and ($move or ($bound and $moves)) and none of ($kept*)
}

rule writes_what_is_sent {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "writes a file with what a visitor sends"
    strings:
        $decoded = /[^>:\w](file_put_contents|fwrite|fputs)\s*\([^;]{0,80},\s*@?(base64_decode|gzinflate|hex2bin|str_rot13|stripslashes|urldecode)\s*\(\s*@?\$_(GET|POST|REQUEST|COOKIE)\s*\[/ nocase
        $named = /[^>:\w]file_put_contents\s*\(\s*@?\$_(GET|POST|REQUEST|COOKIE)\s*\[[^\]]{1,40}\]\s*,\s*@?\w*\(?\s*\$_(GET|POST|REQUEST|COOKIE)/ nocase
        $opened = /[^>:\w]fopen\s*\(\s*@?\$_(GET|POST|REQUEST|COOKIE)\s*\[[^\]]{1,40}\]\s*,\s*["'][wax]/ nocase
        $raw = /[^>:\w]file_put_contents\s*\(\s*["'][^"']{1,80}\.ph(p|tml|ar)[0-9]?["']\s*,\s*(\$_(GET|POST|REQUEST|COOKIE)|file_get_contents\s*\(\s*["']php:\/\/input)/ nocase
    condition:
        any of them
}

rule fetches_and_runs {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "fetches code from elsewhere and runs it"
    strings:
        $run = /\b(eval|assert)\s*\(\s*[@"'?>. ]*(file_get_contents|curl_exec|fread|implode|wp_remote_retrieve_body|wp_remote_fopen)\s*\(\s*@?["'$\w]/ nocase
        $include = /\b(include|require)(_once)?\s*\(?\s*["']((https?|ftp):|data:[^"'\n]{0,40}base64)/ nocase
        $input = /\b(include|require)(_once)?\s*\(?\s*["']php:\/\/(input|filter)/ nocase
        $parameter = /\b(include|require)(_once)?\s*\(?\s*@?\$_(GET|POST|REQUEST|COOKIE)\s*\[/ nocase
    condition:
        any of them
}

rule fetches_a_program {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "fetches something from elsewhere and writes it as PHP"
    strings:
        $fetched = /[^>:\w](file_put_contents|fwrite)\s*\([^;]{0,100}\.ph(p|tml)["'][^;]{0,60}(file_get_contents|curl_exec)\s*\(\s*["'$]/ nocase
        $copied = /[^>:\w]copy\s*\(\s*["']https?:[^;]{0,120}\.ph(p|tml)["']\s*\)/ nocase
    condition:
        any of them
}
