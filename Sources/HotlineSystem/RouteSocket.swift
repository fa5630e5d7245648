import Glibc

/// A netlink socket that hears of links, addresses and routes (netlink(7), rtnetlink(7)).
final class RouteSocket {
  let descriptor: Int32
  private var messages: RouteMessages
  private var buffer = [UInt8](repeating: 0, count: bufferBytes)

  /// The kernel's datagrams are no longer than this (NLMSG_GOODSIZE is a page or two).
  private static let bufferBytes = 32 << 10

  /// Fails where netlink is forbidden.
  static func open(entriesMax: Int) -> Result<ChangeSource, SystemCallError> {
    do throws(SystemCallError) {
      let socket = try RouteSocket(entriesMax: entriesMax)
      return .success(ChangeSource(descriptor: socket.descriptor, read: socket.read))
    } catch {
      return .failure(error)
    }
  }

  /// The caller closes ``descriptor``.
  init(entriesMax: Int) throws(SystemCallError) {
    messages = RouteMessages(entriesMax: entriesMax)
    let type = SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    descriptor = socket(AF_NETLINK, Int32(type), NetlinkAddress.route)
    guard descriptor >= 0 else { throw SystemCallError("socket(AF_NETLINK)") }
    var address = NetlinkAddress()
    address.groups = NetlinkAddress.changes
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<NetlinkAddress>.size))
      }
    }
    guard result == 0 else {
      let error = SystemCallError("bind(AF_NETLINK)")
      close(descriptor)
      throw error
    }
  }

  /// Takes a number of datagrams; poll(2) tells of the rest.
  func read() -> ChangeSource.Reading {
    var hasChange = false
    for _ in 0..<64 {
      var sender = NetlinkAddress()
      var length = socklen_t(MemoryLayout<NetlinkAddress>.size)
      let count = withUnsafeMutablePointer(to: &sender) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          recvfrom(descriptor, &buffer, Self.bufferBytes, 0, $0, &length)
        }
      }
      if count >= 0 {
        // Other programs may write to the socket; only the kernel's port is 0.
        guard sender.port == 0, length == MemoryLayout<NetlinkAddress>.size else { continue }
        if buffer.withUnsafeBytes({ messages.take($0.prefix(count)) }) { hasChange = true }
        continue
      }
      switch errno {
      case EINTR: continue
      case ENOBUFS:
        // More came than the socket holds: whatever was remembered may be wrong.
        messages.forget()
        hasChange = true
      case EAGAIN: return hasChange ? .changed : .unchanged
      default: return .broken
      }
    }
    return hasChange ? .changed : .unchanged
  }
}

/// `struct sockaddr_nl` of netlink(7), which Swift's Glibc module lacks.
private struct NetlinkAddress {
  var family = UInt16(AF_NETLINK)
  var padding: UInt16 = 0
  /// 0 is the kernel, and in bind(2) any free one.
  var port: UInt32 = 0
  var groups: UInt32 = 0

  /// NETLINK_ROUTE.
  static let route: Int32 = 0
  /// RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE
  /// (linux/rtnetlink.h).
  static let changes: UInt32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
}
