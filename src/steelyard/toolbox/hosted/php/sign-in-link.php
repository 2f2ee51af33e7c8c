<?php
/* Plugin Name: Steelyard: a link that signs somebody in once, until it expires. It removes itself. */
(function () {
    $told = json_decode(base64_decode('STEELYARD_TOLD'), true);
    $used = __FILE__ . '.used';
    if (time() > $told['until']) {
        @unlink(__FILE__);
        return;
    }
    $code = $_GET['steelyard_link'] ?? '';
    if (!is_string($code) || !hash_equals($told['hash'], hash('sha256', $code))) {
        return;
    }
    add_action('init', function () use ($told, $used) {
        // Whoever renames the file is the first, and the only one.
        if (!@rename(__FILE__, $used)) {
            wp_die('This link was used already.', '', ['response' => 410]);
        }
        @unlink($used);
        $user = get_user_by('id', $told['user']);
        if (!$user) {
            wp_die('The user of this link is gone.', '', ['response' => 410]);
        }
        nocache_headers();
        wp_set_current_user($user->ID);
        wp_set_auth_cookie($user->ID, false, is_ssl());
        wp_safe_redirect(admin_url());
        exit;
    }, 0);
})();
