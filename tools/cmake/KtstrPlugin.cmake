# ktstr_add_plugin(): stands in KtstrPlugin.cmake of the installed package too.
