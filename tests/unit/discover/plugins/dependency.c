/* The library that a plugin needs and that is not there when it is opened. */
void muster_test_dependency(void);
__attribute__((visibility("default"))) void muster_test_dependency(void) {}
