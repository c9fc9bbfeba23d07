/* Named as Open MPI's library, and has nothing of it. */
int another_library(void);
int another_library(void) { return 0; }
