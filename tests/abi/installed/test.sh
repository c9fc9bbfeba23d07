#!/bin/sh
# Installs the build into a scratch prefix and uses only what is there.
#
# usage: test.sh install   BUILD PREFIX
#        test.sh package   PREFIX SCRATCH SOURCE    programs, plugin and kit through find_package
#        test.sh pkgconfig PREFIX SCRATCH SOURCE    programs through pkg-config
# CC, CXX, CFLAGS, CXXFLAGS and LDFLAGS are used as they are.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
step=$1
shift

case $step in
install)
  rm -rf "$2"
  cmake --install "$1" --prefix "$2" >"$1/installed.log"
  ;;
package)
  prefix=$1 scratch=$2/package source=$3
  rm -rf "$scratch"
  cmake -G Ninja -S "$here" -B "$scratch" -DCMAKE_PREFIX_PATH="$prefix" -DSTRANGER_SOURCE="$source" -DREADME="$here/../../../README.md" \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo
  cmake --build "$scratch"
  "$scratch/c_program"
  "$scratch/cpp_program"
  "$scratch/kit_program"
  "$scratch/readme_test"
  python3 "$here/../exports.py" plugins "$scratch"
  ;;
pkgconfig)
  prefix=$1 scratch=$2/pkgconfig
  rm -rf "$scratch"
  mkdir -p "$scratch"
  PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name muster.pc)")
  export PKG_CONFIG_PATH
  plugins=$(pkg-config --variable=plugindir muster)
  test -f "$plugins/skeleton.so" || { echo "no skeleton.so in plugindir $plugins"; exit 1; }
  rpath=-Wl,-rpath,$(pkg-config --variable=libdir muster)
  flags="-Wall -Wextra -pedantic -Werror -pthread $(pkg-config --cflags muster)"
  # Word splitting of the flags is meant.
  # shellcheck disable=SC2086
  ${CC:-cc} -std=c11 $flags ${CFLAGS:-} "$here/program.c" -o "$scratch/c_program" \
    ${LDFLAGS:-} $(pkg-config --libs muster) "$rpath"
  # shellcheck disable=SC2086
  ${CXX:-c++} -std=c++20 $flags ${CXXFLAGS:-} "$here/program.cpp" -o "$scratch/cpp_program" \
    ${LDFLAGS:-} $(pkg-config --libs muster) "$rpath"
  "$scratch/c_program"
  "$scratch/cpp_program"
  ;;
*)
  echo "unknown step $step" >&2
  exit 2
  ;;
esac
