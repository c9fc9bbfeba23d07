/* What a sibling of the fault plugin needs, and does not find where it runs. */
int muster_fault_dependency(void);
int muster_fault_dependency(void) { return 0; }
