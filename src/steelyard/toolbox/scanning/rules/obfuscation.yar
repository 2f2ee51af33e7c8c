// Code that hides what it runs. Written for Steelyard; Apache-2.0.

rule eval_of_decoded {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "decoded text is run as code"
    strings:
        $run = /\b(eval|assert)\s*\(\s*["'?>. \t@]*(base64_decode|gzinflate|gzuncompress|gzdecode|str_rot13|strrev|convert_uudecode|rawurldecode|hex2bin)\s*\(/ nocase
        $noted = /\b(eval|assert)\s*\/\*[^*]{0,200}\*\/\s*\(/ nocase
    condition:
        any of them
}

rule decoders_in_a_row {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "several decoders around each other, and something that runs the result"
    strings:
        $row = /(gzinflate|gzuncompress|gzdecode|str_rot13|strrev|convert_uudecode)\s*\(\s*@?(base64_decode|str_rot13|strrev|convert_uudecode|gzinflate)\s*\(/ nocase
        $run = /\b(eval|assert|create_function)\s*\(/ nocase
    condition:
        $row and $run
}

rule eval_of_long_text {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "a long encoded text in a file that evaluates"
    strings:
        $long = /(base64_decode|gzinflate|gzuncompress|str_rot13|hex2bin|convert_uudecode)\s*\(\s*["'][A-Za-z0-9+\/=]{500,}/ nocase
        $assigned = /=\s?["'][A-Za-z0-9+\/]{2000}/
        $eval = /[^>:\w.$]eval\s*\(\s*[@"'?>. ]*\$/ nocase
        $decode = /base64_decode|gzinflate|str_rot13|hex2bin/ nocase
    condition:
        $eval and ($long or ($assigned and $decode))
}

rule spelled_backwards_or_rotated {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "the name of a function that runs code, made unreadable"
    strings:
        $reversed = /strrev\s*\(\s*["'](edoced_46esab|lave|tressa|etalfnizg|metsys|cexe_llehs|urhtssap|nepop|noitcnuf_etaerc|stnetnoc_tup_elif)["']/ nocase
        $rotated = /str_rot13\s*\(\s*["'](riny|nffreg|onfr64_qrpbqr|tmvasyngr|flfgrz|furyy_rkrp|cnffgueh|perngr_shapgvba)/ nocase
        $encoded = /base64_decode\s*\(\s*["'](ZXZhb[A-P]|YXNzZXJ0|c3lzdGVt|c2hlbGxfZXhlY|Z3ppbmZsYXRl|YmFzZTY0X2RlY29kZ|Y3JlYXRlX2Z1bmN0aW9u|ZmlsZV9wdXRfY29udGVudH|cGFzc3Rocn|cHJvY19vcGVu)/
        $hexed = /"[^"]{0,16}(\\x65\\x76\\x61\\x6c|\\x61\\x73\\x73\\x65\\x72\\x74|\\x62\\x61\\x73\\x65\\x36\\x34\\x5f|\\x67\\x7a\\x69\\x6e\\x66\\x6c|\\x73\\x79\\x73\\x74\\x65\\x6d|\\145\\166\\141\\154|\\142\\141\\163\\145\\66\\64)/ nocase
    condition:
        any of them
}

rule name_in_pieces {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "the name of a function that runs code, put together from pieces"
    strings:
        $base64 = /["']b["']\s*\.\s*["']a|["']ba["']\s*\.\s*["']se|["']bas["']\s*\.\s*["']e6|["']base["']\s*\.\s*["']6|["']base6["']\s*\.\s*["']4|["']base64["']\s*\.\s*["']_d|["']base64_["']\s*\.\s*["']d|["']base64_de["']\s*\.\s*["']c/ nocase
        $eval = /["']e["']\s*\.\s*["']v["']\s*\.\s*["']a["']\s*\.\s*["']l["']/ nocase
        $assert = /["']as["']\s*\.\s*["']s(er["']\s*\.\s*["']t|ert)["']|["']a["']\s*\.\s*["']ss["']\s*\.\s*["']ert["']|["']ass["']\s*\.\s*["']ert["']/ nocase
        $create = /["']cr?e?a?["']\s*\.\s*["'][creat'". ]{1,20}_?f?["']\s*\.\s*["']u?nction["']/ nocase
        $system = /["']sy?["']\s*\.\s*["']s?t?["']\s*\.\s*["']t?em["']|["']sys["']\s*\.\s*["']tem["']/ nocase
    condition:
        any of them
}

rule built_from_characters {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "a text is put together character by character"
    strings:
        $chr = /(chr\s*\(\s*(0x[0-9a-f]{1,2}|[0-9]{1,4}(\s*[-+^*\/]\s*[0-9]{1,4})?)\s*\)\s*\.\s*){9}/ nocase
        $run = /\b(eval|assert|create_function)\s*\(|\$\w+\s*\(\s*\$_(GET|POST|REQUEST|COOKIE)/ nocase
    condition:
        $chr and $run
}

rule hidden_globals {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "the names of variables are written as codes"
    strings:
        $hexed = /\$\{\s*["']\\x[0-9a-f]{2}\\?\w/ nocase
        $octal = /\$\{\s*["']\\1[0-7]{2}\\?\w/
        $globals = /\$GLOBALS\s*\[\s*["']([^"'\]]{0,12}\\x[0-9a-f]{2}){2}/ nocase
    condition:
        any of them
}

rule look_alike_names {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "variables are called so that nobody can tell them apart"
    strings:
        $noughts = /\$(O0|OO|O_)[O0_]{4,30}\b/
        $bars = /\$(Il|lI|II|ll)[Il1]{5,30}\b/
    condition:
        #noughts > 5 or #bars > 5
}

rule jumps_about {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "hardly anything but jumps: made by a tool that hides what code does"
    strings:
        $jump = /goto [A-Za-z0-9_]{4,12};\s*[A-Za-z0-9_]{4,12}:/
    condition:
        #jump > 12
}

rule replace_and_run {
    meta:
        author = "Steelyard"
        severity = "suspicious"
        about = "a replacement that is run as code"
    strings:
        $slash = /preg_replace\s*\(\s*["']\/[^"'\n\/]{0,80}\/[imsxuADSUXJ]{0,6}e[imsxuADSUXJ]{0,6}["']\s*,/ nocase
        $hash = /preg_replace\s*\(\s*["']#[^"'\n#]{0,80}#[imsxuADSUXJ]{0,6}e[imsxuADSUXJ]{0,6}["']\s*,/ nocase
        $tilde = /preg_replace\s*\(\s*["'][~|@][^"'\n~|@]{0,80}[~|@][imsxuADSUXJ]{0,6}e[imsxuADSUXJ]{0,6}["']\s*,/ nocase
        $mb = /mb_ereg_replace\s*\([^;]{0,120},\s*["'][imsx]{0,4}e[imsx]{0,4}["']\s*\)/ nocase
    condition:
        any of them
}

rule function_from_text {
    meta:
        author = "Steelyard"
        severity = "malicious"
        about = "a function is made from encoded text or from what a visitor sends"
    strings:
        $made = /create_function\s*\(\s*["'][^"']{0,40}["']\s*,\s*@?(base64_decode|gzinflate|gzuncompress|str_rot13|strrev|hex2bin|\$_(GET|POST|REQUEST|COOKIE))/ nocase
        $rotated = /create_function\s*\(\s*["']["']\s*,\s*\$\w+\s*\)\s*;\s*\$?\w*\s*\(/ nocase
    condition:
        any of them
}
