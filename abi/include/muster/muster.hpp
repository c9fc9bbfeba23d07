// C++17, header-only, over muster.h: owners that release themselves, failures as exceptions, counts
// of typed elements. Nothing is hidden: get() gives the C handle of every object.
//
//   using namespace muster::api;
//   Runtime runtime = Runtime::init();
//   Group world(runtime);
//   world.all_reduce(send.data(), recv.data(), send.size(), MUSTER_SUM);   // or C++20:
//   world.all_reduce(send, recv, MUSTER_SUM);                   // any contiguous range, span
//
// Every operation comes twice: with typed pointers, and with void pointers and a muster_dtype.
// Thread rules, collectives and what count means are those of muster.h. Destroy in the order plans
// and works, groups, runtime, threads (declaring them in the opposite order does). A moved-from
// object may only be destroyed or assigned to. As mpl over MPI, nccl4py over NCCL.
#ifndef MUSTER_MUSTER_HPP
#define MUSTER_MUSTER_HPP

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "muster/element.hpp"
#include "muster/error.hpp"
#include "muster/muster.h"
#include "muster/plan.h"
#if __cplusplus >= 202002L
#include <ranges>
#endif

namespace muster::api {

namespace detail {
template <typename Handle, void (*release)(Handle*)>
class Owner {
 public:
  Handle* get() const noexcept { return handle_.get(); }

 protected:
  Owner() = default;
  explicit Owner(Handle* owned) : handle_(owned) {}
  struct Release {
    void operator()(Handle* owned) const { release(owned); }
  };
  std::unique_ptr<Handle, Release> handle_;
};

// A group with work outstanding is left to muster_finalize, which destroys it with a warning.
inline void destroy_group(muster_group* group) {
  muster_status_release(muster_group_destroy(group));
}
}  // namespace detail

// The option records of muster.h, ready to fill in.
struct RuntimeOptions : muster_runtime_options {
  RuntimeOptions() : muster_runtime_options{} { struct_size = MUSTER_RUNTIME_OPTIONS_SIZE; }
};
struct GroupOptions : muster_group_options {
  GroupOptions() : muster_group_options{} { struct_size = MUSTER_GROUP_OPTIONS_SIZE; }
};
struct Options : muster_call_options {
  Options() : muster_call_options{} { struct_size = MUSTER_CALL_OPTIONS_SIZE; }
};

// N ranks as threads of this process.
class Threads : public detail::Owner<muster_threads, muster_threads_release> {
 public:
  explicit Threads(uint32_t size) {
    muster_threads* out = nullptr;
    check(muster_threads_create(size, &out));
    handle_.reset(out);
  }
};

// One rank's runtime.
class Runtime : public detail::Owner<muster_runtime, muster_finalize> {
 public:
  // Collective over the world.
  static Runtime init() { return init(nullptr); }
  static Runtime init(const RuntimeOptions& options) { return init(&options); }
  // One rank of an in-process world.
  static Runtime init(const Threads& threads, uint32_t rank) {
    RuntimeOptions options;
    options.threads = threads.get();
    options.thread_rank = rank;
    return init(&options);
  }
  uint32_t rank() const { return muster_rank(get()); }
  uint32_t size() const { return muster_size(get()); }
  std::string bootstrap() const { return muster_bootstrap_name(get()); }
  void set_flush(muster_flush flush, void* context) {
    check(muster_set_flush(get(), flush, context));
  }
  // JSON, "muster.list/1".
  std::string describe() const {
    char* text = nullptr;
    check(muster_runtime_describe(get(), &text));
    const std::unique_ptr<char, void (*)(char*)> owner(text, muster_text_release);
    return text;
  }

 private:
  static Runtime init(const muster_runtime_options* options) {
    muster_runtime* out = nullptr;
    check(muster_init(options, &out));
    return Runtime(out);
  }
  explicit Runtime(muster_runtime* owned) : Owner(owned) {}
};

// A started call. Keep its buffers until it is done; the destructor waits.
class Work : public detail::Owner<muster_work, muster_work_release> {
 public:
  explicit Work(muster_work* owned) : Owner(owned) {}
  // True once the call is done; throws its failure.
  bool test() {
    uint32_t done = 0;
    check(muster_work_test(get(), &done));
    return done != 0;
  }
  void wait() { check(muster_work_wait(get())); }
};

// A frozen call, buffers included.
class Plan : public detail::Owner<muster_plan, muster_plan_release> {
 public:
  explicit Plan(muster_plan* owned) : Owner(owned) {}
  void run() { check(muster_plan_replay(get())); }
};

// An ordered set of ranks and what serves it.
class Group : public detail::Owner<muster_group, detail::destroy_group> {
 public:
  // The whole world. Collective.
  explicit Group(const Runtime& runtime, const GroupOptions& options = {})
      : Group(runtime, options, nullptr, 0) {}
  // These world ranks, in this order. Collective over them.
  Group(const Runtime& runtime, const std::vector<uint32_t>& ranks,
        const GroupOptions& options = {})
      : Group(runtime, options, ranks.data(), static_cast<uint32_t>(ranks.size())) {}

  // Takes over a handle of muster.h.
  explicit Group(muster_group* owned) : Owner(owned) {}

  // As the destructor, but says why the group cannot end yet, and keeps it.
  void destroy() {
    check(muster_group_destroy(get()));
    handle_.release();
  }
  void abort() noexcept { muster_group_abort(get()); }
  uint32_t rank() const { return muster_group_rank(get()); }
  uint32_t size() const { return muster_group_size(get()); }
  std::string name() const { return muster_group_name(get()); }
  void reserve(muster_memory memory, uint64_t bytes) {
    check(muster_group_reserve(get(), memory, bytes));
  }
  // Memory of the program's own; Buffer allocates. Collective.
  void mem_register(void* pointer, uint64_t bytes, muster_memory memory = MUSTER_MEMORY_DEFAULT) {
    check(muster_mem_register(get(), pointer, bytes, memory));
  }
  void mem_deregister(void* pointer) { check(muster_mem_deregister(get(), pointer)); }

  // ---- collectives on runtime dtypes ----
  void all_reduce(const void* send, void* recv, uint64_t count, muster_dtype dtype,
                  muster_redop redop, const Options& options = {}) {
    check(muster_all_reduce(get(), send, recv, count, dtype, redop, &options));
  }
  void reduce(const void* send, void* recv, uint64_t count, muster_dtype dtype, muster_redop redop,
              uint32_t root, const Options& options = {}) {
    check(muster_reduce(get(), send, recv, count, dtype, redop, root, &options));
  }
  void reduce_scatter(const void* send, void* recv, uint64_t count, muster_dtype dtype,
                      muster_redop redop, const Options& options = {}) {
    check(muster_reduce_scatter(get(), send, recv, count, dtype, redop, &options));
  }
  void reduce_scatterv(const void* send, void* recv, const uint64_t* counts, muster_dtype dtype,
                       muster_redop redop, const Options& options = {}) {
    check(muster_reduce_scatterv(get(), send, recv, counts, dtype, redop, &options));
  }
  void fused_all_reduce_rmsnorm(const void* send, void* recv, uint64_t count, muster_dtype dtype,
                                const muster_fused_rmsnorm& fused, const Options& options = {}) {
    check(muster_fused_all_reduce_rmsnorm(get(), send, recv, count, dtype, &fused, &options));
  }
  void broadcast(const void* send, void* recv, uint64_t count, muster_dtype dtype, uint32_t root,
                 const Options& options = {}) {
    check(muster_broadcast(get(), send, recv, count, dtype, root, &options));
  }
  void all_gather(const void* send, void* recv, uint64_t count, muster_dtype dtype,
                  const Options& options = {}) {
    check(muster_all_gather(get(), send, recv, count, dtype, &options));
  }
  void all_gatherv(const void* send, void* recv, const uint64_t* counts, const uint64_t* displs,
                   muster_dtype dtype, const Options& options = {}) {
    check(muster_all_gatherv(get(), send, recv, counts, displs, dtype, &options));
  }
  void gather(const void* send, void* recv, uint64_t count, muster_dtype dtype, uint32_t root,
              const Options& options = {}) {
    check(muster_gather(get(), send, recv, count, dtype, root, &options));
  }
  void gatherv(const void* send, uint64_t count, void* recv, const uint64_t* recv_counts,
               const uint64_t* recv_displs, muster_dtype dtype, uint32_t root,
               const Options& options = {}) {
    check(
        muster_gatherv(get(), send, count, recv, recv_counts, recv_displs, dtype, root, &options));
  }
  void scatter(const void* send, void* recv, uint64_t count, muster_dtype dtype, uint32_t root,
               const Options& options = {}) {
    check(muster_scatter(get(), send, recv, count, dtype, root, &options));
  }
  void scatterv(const void* send, const uint64_t* send_counts, const uint64_t* send_displs,
                void* recv, uint64_t count, muster_dtype dtype, uint32_t root,
                const Options& options = {}) {
    check(
        muster_scatterv(get(), send, send_counts, send_displs, recv, count, dtype, root, &options));
  }
  void all_to_all(const void* send, void* recv, uint64_t count, muster_dtype dtype,
                  const Options& options = {}) {
    check(muster_all_to_all(get(), send, recv, count, dtype, &options));
  }
  void all_to_allv(const void* send, const uint64_t* send_counts, const uint64_t* send_displs,
                   void* recv, const uint64_t* recv_counts, const uint64_t* recv_displs,
                   muster_dtype dtype, const Options& options = {}) {
    check(muster_all_to_allv(get(), send, send_counts, send_displs, recv, recv_counts, recv_displs,
                             dtype, &options));
  }
  void send(const void* data, uint64_t count, muster_dtype dtype, uint32_t peer,
            const Options& options = {}) {
    check(muster_send(get(), data, count, dtype, peer, &options));
  }
  void recv(void* data, uint64_t count, muster_dtype dtype, uint32_t peer,
            const Options& options = {}) {
    check(muster_recv(get(), data, count, dtype, peer, &options));
  }
  void send_recv(const void* send, uint64_t send_count, uint32_t send_peer, void* recv,
                 uint64_t recv_count, uint32_t recv_peer, muster_dtype dtype,
                 const Options& options = {}) {
    check(muster_send_recv(get(), send, send_count, send_peer, recv, recv_count, recv_peer, dtype,
                           &options));
  }
  void barrier() { check(muster_barrier(get())); }

  // ---- the same, on typed elements ----
  template <typename T, detail::if_element<T> = 0>
  void all_reduce(const detail::same<T>* send, T* recv, uint64_t count, muster_redop redop,
                  const Options& options = {}) {
    all_reduce(send, recv, count, dtype_of<T>(), redop, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void reduce(const T* send, detail::same<T>* recv, uint64_t count, muster_redop redop,
              uint32_t root, const Options& options = {}) {
    reduce(send, recv, count, dtype_of<T>(), redop, root, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void reduce_scatter(const detail::same<T>* send, T* recv, uint64_t count, muster_redop redop,
                      const Options& options = {}) {
    reduce_scatter(send, recv, count, dtype_of<T>(), redop, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void reduce_scatterv(const detail::same<T>* send, T* recv, const uint64_t* counts,
                       muster_redop redop, const Options& options = {}) {
    reduce_scatterv(send, recv, counts, dtype_of<T>(), redop, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void broadcast(const detail::same<T>* send, T* recv, uint64_t count, uint32_t root,
                 const Options& options = {}) {
    broadcast(send, recv, count, dtype_of<T>(), root, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void all_gather(const detail::same<T>* send, T* recv, uint64_t count,
                  const Options& options = {}) {
    all_gather(send, recv, count, dtype_of<T>(), options);
  }
  template <typename T, detail::if_element<T> = 0>
  void all_gatherv(const detail::same<T>* send, T* recv, const uint64_t* counts,
                   const uint64_t* displs = nullptr, const Options& options = {}) {
    all_gatherv(send, recv, counts, displs, dtype_of<T>(), options);
  }
  template <typename T, detail::if_element<T> = 0>
  void gather(const T* send, detail::same<T>* recv, uint64_t count, uint32_t root,
              const Options& options = {}) {
    gather(send, recv, count, dtype_of<T>(), root, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void gatherv(const T* send, uint64_t count, detail::same<T>* recv, const uint64_t* recv_counts,
               const uint64_t* recv_displs, uint32_t root, const Options& options = {}) {
    gatherv(send, count, recv, recv_counts, recv_displs, dtype_of<T>(), root, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void scatter(const detail::same<T>* send, T* recv, uint64_t count, uint32_t root,
               const Options& options = {}) {
    scatter(send, recv, count, dtype_of<T>(), root, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void scatterv(const detail::same<T>* send, const uint64_t* send_counts,
                const uint64_t* send_displs, T* recv, uint64_t count, uint32_t root,
                const Options& options = {}) {
    scatterv(send, send_counts, send_displs, recv, count, dtype_of<T>(), root, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void all_to_all(const detail::same<T>* send, T* recv, uint64_t count,
                  const Options& options = {}) {
    all_to_all(send, recv, count, dtype_of<T>(), options);
  }
  template <typename T, detail::if_element<T> = 0>
  void all_to_allv(const detail::same<T>* send, const uint64_t* send_counts,
                   const uint64_t* send_displs, T* recv, const uint64_t* recv_counts,
                   const uint64_t* recv_displs, const Options& options = {}) {
    all_to_allv(send, send_counts, send_displs, recv, recv_counts, recv_displs, dtype_of<T>(),
                options);
  }
  template <typename T, detail::if_element<T> = 0>
  void send(const T* data, uint64_t count, uint32_t peer, const Options& options = {}) {
    send(data, count, dtype_of<T>(), peer, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void recv(T* data, uint64_t count, uint32_t peer, const Options& options = {}) {
    recv(data, count, dtype_of<T>(), peer, options);
  }
  template <typename T, detail::if_element<T> = 0>
  void send_recv(const detail::same<T>* send, uint64_t send_count, uint32_t send_peer, T* recv,
                 uint64_t recv_count, uint32_t recv_peer, const Options& options = {}) {
    send_recv(send, send_count, send_peer, recv, recv_count, recv_peer, dtype_of<T>(), options);
  }

#if __cplusplus >= 202002L
  // ---- on contiguous ranges: sizes are compared before anything is sent ----
  template <std::ranges::contiguous_range In, std::ranges::contiguous_range Out>
  void all_reduce(const In& send, Out&& recv, muster_redop redop, const Options& options = {}) {
    same_elements<In, Out>();
    expect("all_reduce", std::ranges::size(recv), std::ranges::size(send));
    all_reduce(std::ranges::data(send), std::ranges::data(recv), std::ranges::size(send), redop,
               options);
  }
  template <std::ranges::contiguous_range In, std::ranges::contiguous_range Out>
  void reduce_scatter(const In& send, Out&& recv, muster_redop redop, const Options& options = {}) {
    same_elements<In, Out>();
    expect("reduce_scatter", std::ranges::size(send), size() * std::ranges::size(recv));
    reduce_scatter(std::ranges::data(send), std::ranges::data(recv), std::ranges::size(recv), redop,
                   options);
  }
  // In place, root's data to all.
  template <std::ranges::contiguous_range Data>
  void broadcast(Data&& data, uint32_t root, const Options& options = {}) {
    broadcast(std::ranges::data(data), std::ranges::data(data), std::ranges::size(data), root,
              options);
  }
  template <std::ranges::contiguous_range In, std::ranges::contiguous_range Out>
  void all_gather(const In& send, Out&& recv, const Options& options = {}) {
    same_elements<In, Out>();
    expect("all_gather", std::ranges::size(recv), size() * std::ranges::size(send));
    all_gather(std::ranges::data(send), std::ranges::data(recv), std::ranges::size(send), options);
  }
  template <std::ranges::contiguous_range In, std::ranges::contiguous_range Out>
  void all_to_all(const In& send, Out&& recv, const Options& options = {}) {
    same_elements<In, Out>();
    const uint64_t count = std::ranges::size(send) / size();
    expect("all_to_all", std::ranges::size(send), size() * count);
    expect("all_to_all", std::ranges::size(recv), size() * count);
    all_to_all(std::ranges::data(send), std::ranges::data(recv), count, options);
  }
  template <std::ranges::contiguous_range In>
  void send(const In& data, uint32_t peer, const Options& options = {}) {
    send(std::ranges::data(data), std::ranges::size(data), peer, options);
  }
  template <std::ranges::contiguous_range Out>
  void recv(Out&& data, uint32_t peer, const Options& options = {}) {
    recv(std::ranges::data(data), std::ranges::size(data), peer, options);
  }
#endif

  // ---- explicit calls: muster_call_init(op, dtype), then what differs ----
  void execute(const muster_call& call) { check(muster_execute(get(), &call)); }
  Work start(const muster_call& call) {
    muster_work* out = nullptr;
    check(muster_start(get(), &call, &out));
    return Work(out);
  }
  void batch(const muster_call* calls, uint32_t count) { check(muster_batch(get(), calls, count)); }
  Plan plan(const muster_call& call) {
    muster_plan* out = nullptr;
    check(muster_plan_create(get(), &call, &out));
    return Plan(out);
  }

  // ---- graphs and insight ----
  void graph_begin(muster_phase phase) { check(muster_graph_begin(get(), phase)); }
  void graph_end(bool ok) { check(muster_graph_end(get(), ok ? 1u : 0u)); }
  std::string backend(const muster_call& call) {
    const char* out = nullptr;
    check(muster_group_backend(get(), &call, &out));
    return out;
  }
  // Whether a backend carries the call out itself; else the runtime composes it. To be asked before
  // relying on a fused form.
  bool fuses(const muster_call& call) { return backend(call).rfind("composed(", 0) != 0; }
  std::string explain(const muster_call& call, bool json = false) {
    char* text = nullptr;
    check(muster_group_explain(get(), &call, json ? 1u : 0u, &text));
    const std::unique_ptr<char, void (*)(char*)> owner(text, muster_text_release);
    return text;
  }
  void counters(muster_counter_sink sink, void* context) {
    check(muster_group_counters(get(), sink, context));
  }

 private:
  Group(const Runtime& runtime, const GroupOptions& options, const uint32_t* ranks,
        uint32_t count) {
    muster_group* out = nullptr;
    check(muster_group_create(runtime.get(), &options, ranks, count, &out));
    handle_.reset(out);
  }

#if __cplusplus >= 202002L
  template <typename In, typename Out>
  static constexpr void same_elements() {
    static_assert(std::is_same_v<std::ranges::range_value_t<In>, std::ranges::range_value_t<Out>>,
                  "send and recv have elements of different types");
  }
  static void expect(const char* operation, uint64_t have, uint64_t want) {
    if (have == want) return;
    throw Error(MUSTER_INVALID_ARGUMENT,
                std::string(operation) + ": a buffer has " + std::to_string(have) +
                    " elements, this group needs " + std::to_string(want),
                "see the meaning of count in muster/types.h");
  }
#endif
};

// `count` elements of memory that every rank of a group knows (muster_mem_alloc): a contiguous
// range, zeroed in host memory. To be made and destroyed by every rank of the group, before the
// group; elements of other memory than the host's are the device's to touch. A destructor that an
// exception runs leaves the memory to the end of the group: the other ranks may not come to free
// it.
template <typename T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>, "ranks share bytes, not objects");

 public:
  Buffer() = default;
  Buffer(const Group& group, uint64_t count, muster_memory memory = MUSTER_MEMORY_DEFAULT)
      : group_(group.get()), count_(count), exceptions_(std::uncaught_exceptions()) {
    // More than there can be is refused on every rank, as a rank alone could not.
    const uint64_t bytes = count > UINT64_MAX / sizeof(T) ? UINT64_MAX : count * sizeof(T);
    void* out = nullptr;
    check(muster_mem_alloc(group_, bytes, memory, &out));
    data_ = static_cast<T*>(out);
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (std::uncaught_exceptions() > exceptions_) return;
    muster_status_release(muster_mem_free(group_, data_));
  }

  // As the destructor, but says what went wrong, and keeps it then.
  void free() {
    check(muster_mem_free(group_, data_));
    data_ = nullptr;
    count_ = 0;
  }
  T* data() const noexcept { return data_; }
  uint64_t size() const noexcept { return count_; }
  T* begin() const noexcept { return data_; }
  T* end() const noexcept { return data_ + count_; }
  T& operator[](uint64_t index) const noexcept { return data_[index]; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(group_, other.group_);
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    std::swap(exceptions_, other.exceptions_);
  }

  muster_group* group_ = nullptr;
  T* data_ = nullptr;
  uint64_t count_ = 0;
  int exceptions_ = 0;  // under way when it was made
};

}  // namespace muster::api

#endif
