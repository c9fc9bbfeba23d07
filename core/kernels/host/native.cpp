// All of a pack as one translation unit: what `muster precompile` compiles. Only what is selected
// is instantiated.
#include "host_copy.cpp"
#include "host_reduce_floating.cpp"
#include "host_reduce_integer.cpp"
#include "host_rmsnorm.cpp"
#include "host_rmsnorm_quant.cpp"
#include "pack.cpp"
