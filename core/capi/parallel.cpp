// parallel.h: roles and layouts, groups by hand.
#include "muster/parallel.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/agree/group_setup.hpp"
#include "core/capi/boundary.hpp"
#include "core/capi/options.hpp"
#include "core/capi/record.hpp"
#include "core/parallel/group_requests.hpp"
#include "core/parallel/group_split.hpp"
#include "core/parallel/layout.hpp"

using muster::at_boundary;
using muster::null_argument;
using muster::Result;
using muster::Status;

namespace {

Result<muster::LayoutSizes> read_sizes(const char* function, const muster_layout_sizes* sizes,
                                       uint32_t world) {
  if (sizes == nullptr) return null_argument(function, "sizes");
  muster_layout_sizes filled{};
  MUSTER_TRY(muster::read_record(fmt::format("{}: sizes", function), "MUSTER_LAYOUT_SIZES_SIZE",
                                 MUSTER_STRUCT_SIZE(muster_layout_sizes, tp), sizes, &filled,
                                 sizeof(filled)));
  return muster::complete_layout(filled, world);
}

Status check_role(const char* function, muster_role role) {
  if (muster::is_role(role)) return Status();
  return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{}: role {} is unknown", function, role),
                "see muster/parallel.h");
}

Result<muster::LayoutWish> read_layout(const muster_runtime& runtime,
                                       const muster_layout_sizes* sizes,
                                       const muster_layout_options* options, const void* out) {
  const char* const function = "muster_layout_create";
  if (out == nullptr) return null_argument(function, "out");
  muster::LayoutWish wish;
  auto completed = read_sizes(function, sizes, runtime.world->size());
  if (!completed.ok()) return completed.take_status();
  wish.sizes = *completed;
  muster_layout_options filled{};
  if (options != nullptr) {
    MUSTER_TRY(muster::read_record(
        fmt::format("{}: options", function), "MUSTER_LAYOUT_OPTIONS_SIZE",
        MUSTER_STRUCT_SIZE(muster_layout_options, roles), options, &filled, sizeof(filled)));
  }
  if ((filled.roles & ~muster::kAllRoles) != 0) {
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("{}: options.roles {:#x} has bits of no role", function, filled.roles),
        "set bits 1 << MUSTER_ROLE_..., or none for every role");
  }
  if (filled.roles != 0) wish.roles = filled.roles;
  if (filled.name != nullptr) wish.name = filled.name;
  muster_group_options group{};
  group.struct_size = MUSTER_GROUP_OPTIONS_SIZE;
  group.memory = filled.memory;
  group.determinism = filled.determinism;
  group.checked = filled.checked;
  group.name = wish.name.c_str();
  auto read = muster::read_group_options(function, &group);
  if (!read.ok()) return read.take_status();
  wish.options = std::move(*read);
  return wish;
}

Result<std::vector<muster::GroupWish>> read_requests(const muster_runtime& runtime,
                                                     const muster_group_request* requests,
                                                     uint32_t count, const void* out) {
  if (count != 0 && requests == nullptr) return null_argument("muster_groups_create", "requests");
  if (count != 0 && out == nullptr) return null_argument("muster_groups_create", "out");
  std::vector<muster::GroupWish> wishes;
  for (uint32_t i = 0; i < count; ++i) {
    const muster_group_request& given = MUSTER_AT(muster_group_request, requests, i);
    const std::string where = fmt::format("muster_groups_create: request {}", i);
    muster_group_request request{};
    MUSTER_TRY(muster::read_record(where, "MUSTER_GROUP_REQUEST_SIZE",
                                   MUSTER_STRUCT_SIZE(muster_group_request, ranks), &given,
                                   &request, sizeof(request)));
    if (request.ranks == nullptr) {
      return Status(MUSTER_INVALID_ARGUMENT, where + ": ranks is NULL",
                    "give the world ranks of the group's members");
    }
    auto wish = muster::read_group_options(where, request.options);
    if (!wish.ok()) return wish.take_status();
    auto ranks = muster::read_ranks(where, runtime, request.ranks, request.count);
    if (!ranks.ok()) return ranks.take_status();
    wish->ranks = std::move(*ranks);
    wishes.push_back(std::move(*wish));
  }
  return wishes;
}

Result<muster::SplitWish> read_split(uint32_t colour, uint32_t key,
                                     const muster_group_options* options, const void* out) {
  if (out == nullptr) return null_argument("muster_group_split", "out");
  muster::SplitWish wish{colour, key, {}};
  if (options == nullptr) return wish;
  auto read = muster::read_group_options("muster_group_split", options);
  if (!read.ok()) return read.take_status();
  wish.options = std::move(*read);
  return wish;
}

}  // namespace

muster_status* muster_layout_parse(const char* text, muster_layout_sizes* out) {
  return at_boundary([&]() -> Status {
    if (text == nullptr) return null_argument("muster_layout_parse", "text");
    if (out == nullptr) return null_argument("muster_layout_parse", "out");
    auto sizes = muster::parse_layout(text);
    if (!sizes.ok()) return sizes.take_status();
    *out = *sizes;
    return Status();
  });
}

muster_status* muster_layout_ranks(const muster_layout_sizes* sizes, uint32_t world,
                                   muster_role role, uint32_t rank, uint32_t* ranks,
                                   uint32_t capacity, uint32_t* out_count) {
  return at_boundary([&]() -> Status {
    const char* const function = "muster_layout_ranks";
    if (ranks == nullptr && capacity != 0) return null_argument(function, "ranks");
    if (out_count == nullptr) return null_argument(function, "out_count");
    auto completed = read_sizes(function, sizes, world);
    if (!completed.ok()) return completed.take_status();
    MUSTER_TRY(check_role(function, role));
    if (rank >= world) {
      return Status(
          MUSTER_INVALID_ARGUMENT,
          fmt::format("{}: rank {} is outside the world of {} ranks", function, rank, world),
          "give a world rank");
    }
    const std::vector<uint32_t> group = muster::role_ranks(*completed, role, rank);
    *out_count = static_cast<uint32_t>(group.size());
    if (group.size() > capacity) {
      return Status(MUSTER_OUT_OF_RANGE,
                    fmt::format("{}: the group of role {} has {} ranks, there is room for {}",
                                function, muster_role_name(role), group.size(), capacity),
                    "give as much room as out_count says");
    }
    std::copy(group.begin(), group.end(), ranks);
    return Status();
  });
}

muster_status* muster_layout_create(muster_runtime* runtime, const muster_layout_sizes* sizes,
                                    const muster_layout_options* options, muster_layout** out) {
  return at_boundary([&]() -> Status {
    if (runtime == nullptr) return null_argument("muster_layout_create", "runtime");
    auto layout = muster::create_layout(*runtime, read_layout(*runtime, sizes, options, out));
    if (!layout.ok()) return layout.take_status();
    *out = *layout;
    return Status();
  });
}

muster_status* muster_layout_destroy(muster_layout* layout) {
  return at_boundary(
      [&]() -> Status { return layout == nullptr ? Status() : muster::destroy_layout(*layout); });
}

muster_status* muster_layout_group(const muster_layout* layout, muster_role role,
                                   muster_group** out) {
  return at_boundary([&]() -> Status {
    if (layout == nullptr) return null_argument("muster_layout_group", "layout");
    if (out == nullptr) return null_argument("muster_layout_group", "out");
    MUSTER_TRY(check_role("muster_layout_group", role));
    muster_group* const group = layout->groups[role];
    if (group == nullptr) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("the layout was made without role {}", muster_role_name(role)),
                    "add the role's bit to muster_layout_options.roles");
    }
    *out = group;
    return Status();
  });
}

muster_status* muster_layout_describe(const muster_layout* layout, char** out_json) {
  return at_boundary([&]() -> Status {
    if (layout == nullptr) return null_argument("muster_layout_describe", "layout");
    if (out_json == nullptr) return null_argument("muster_layout_describe", "out_json");
    *out_json = muster::copy_text(muster::layout_json(*layout));
    return Status();
  });
}

muster_status* muster_groups_create(muster_runtime* runtime, const muster_group_request* requests,
                                    uint32_t count, muster_group** out) {
  return at_boundary([&]() -> Status {
    if (runtime == nullptr) return null_argument("muster_groups_create", "runtime");
    auto groups = muster::request_groups(*runtime, read_requests(*runtime, requests, count, out));
    if (!groups.ok()) return groups.take_status();
    for (uint32_t i = 0; i < count; ++i) out[i] = muster::keep_group(std::move((*groups)[i]));
    return Status();
  });
}

muster_status* muster_group_split(muster_group* group, uint32_t colour, uint32_t key,
                                  const muster_group_options* options, muster_group** out) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_group_split", "group");
    auto part = muster::split_group(*group, read_split(colour, key, options, out));
    if (!part.ok()) return part.take_status();
    *out = *part == nullptr ? nullptr : muster::keep_group(std::move(*part));
    return Status();
  });
}
