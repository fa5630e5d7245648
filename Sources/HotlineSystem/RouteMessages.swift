/// Tells the messages of rtnetlink(7) that change something from those that only say it again.
///
/// A wireless link is announced anew at every scan, and an IPv6 address and its route at every
/// advertisement of the router; neither is a reason to doubt a connection.
struct RouteMessages {
  private let entriesMax: Int
  /// The state of each link, by index.
  private var links: [UInt32: UInt32] = [:]
  /// The flags of each address and route, by what it is told from others.
  private var others: [[UInt8]: UInt32] = [:]

  init(entriesMax: Int) {
    self.entriesMax = entriesMax
  }

  /// Forgets all, so that whatever comes next is a change.
  mutating func forget() {
    links.removeAll()
    others.removeAll()
  }

  /// Takes one datagram, whatever its bytes are.
  /// - Returns: Whether something changed, or may have where it cannot be read.
  mutating func take(_ datagram: Slice<UnsafeRawBufferPointer>) -> Bool {
    let bytes = UnsafeRawBufferPointer(rebasing: datagram)
    var hasChange = false
    var offset = 0
    while offset < bytes.count {
      guard let length: UInt32 = bytes.integer(at: offset), length >= Layout.headerBytes,
        length <= bytes.count - offset
      else { return true }
      let message = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + Int(length))])
      if takeMessage(message) { hasChange = true }
      offset += Layout.aligned(Int(length))
    }
    return hasChange
  }

  private mutating func takeMessage(_ message: UnsafeRawBufferPointer) -> Bool {
    guard let type: UInt16 = message.integer(at: 4) else { return true }
    let body = UnsafeRawBufferPointer(rebasing: message[Layout.headerBytes...])
    switch Kind(rawValue: type) {
    case .newLink: return newLink(body)
    case .deletedLink: return deletedLink(body)
    case .newAddress: return newEntry(address(body))
    case .newRoute: return newEntry(route(body))
    case .deletedAddress:
      others.removeAll()
      return true
    case .deletedRoute:
      if case .copy? = route(body) { return false }
      others.removeAll()
      return true
    case nil: return false
    }
  }

  // MARK: Links

  private mutating func newLink(_ body: UnsafeRawBufferPointer) -> Bool {
    guard let link = Link(body) else { return true }
    // Of a bridge's port its bridge says so, too.
    guard link.family == 0, links[link.index] != link.state else { return false }
    if links.count >= entriesMax { links.removeAll() }
    links[link.index] = link.state
    // The kernel drops IPv4 routes of a link that goes down without a word.
    others.removeAll()
    return true
  }

  private mutating func deletedLink(_ body: UnsafeRawBufferPointer) -> Bool {
    guard let link = Link(body) else { return true }
    guard link.family == 0 else { return false }
    links[link.index] = nil
    others.removeAll()
    return true
  }

  // MARK: Addresses and routes

  private enum Entry {
    case own([UInt8], flags: UInt32)
    /// The kernel's note of a route in use.
    case copy
  }

  private mutating func newEntry(_ entry: Entry?) -> Bool {
    guard case .own(let key, let flags)? = entry else { return entry == nil }
    guard others[key] != flags else { return false }
    if others.count >= entriesMax { others.removeAll() }
    others[key] = flags
    return true
  }

  /// `struct ifaddrmsg` and IFA_ADDRESS, IFA_LOCAL.
  private func address(_ body: UnsafeRawBufferPointer) -> Entry? {
    guard let family: UInt8 = body.integer(at: 0), let prefix: UInt8 = body.integer(at: 1),
      let flags: UInt8 = body.integer(at: 2), body.count >= 8
    else { return nil }
    var key = [0, family, prefix]
    key += body[4..<8]
    guard append(attributes: [1, 2], of: body, from: 8, to: &key) else { return nil }
    return .own(key, flags: UInt32(flags))
  }

  /// `struct rtmsg` and RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH, RTA_TABLE,
  /// RTA_VIA; not how long it is valid.
  private func route(_ body: UnsafeRawBufferPointer) -> Entry? {
    guard let flags: UInt32 = body.integer(at: 8) else { return nil }
    // RTM_F_CLONED.
    guard flags & 0x200 == 0 else { return .copy }
    var key: [UInt8] = [1]
    key += body[0..<8]
    guard append(attributes: [1, 4, 5, 6, 9, 15, 18], of: body, from: 12, to: &key) else {
      return nil
    }
    return .own(key, flags: flags)
  }

  /// Adds the attributes of the named types, as they stand.
  private func append(
    attributes types: [UInt16], of body: UnsafeRawBufferPointer, from start: Int,
    to key: inout [UInt8]
  ) -> Bool {
    var offset = start
    while offset < body.count {
      guard let length: UInt16 = body.integer(at: offset), length >= 4,
        Int(length) <= body.count - offset, let type: UInt16 = body.integer(at: offset + 2)
      else { return false }
      if types.contains(type) { key += body[offset..<(offset + Int(length))] }
      offset += Layout.aligned(Int(length))
    }
    return true
  }

  // MARK: Layout

  /// RTM_NEWLINK and so on (linux/rtnetlink.h).
  private enum Kind: UInt16 {
    case newLink = 16
    case deletedLink = 17
    case newAddress = 20
    case deletedAddress = 21
    case newRoute = 24
    case deletedRoute = 25
  }

  private enum Layout {
    /// Bytes of `struct nlmsghdr`.
    static let headerBytes = 16

    static func aligned(_ length: Int) -> Int { (length + 3) & ~3 }
  }

  /// `struct ifinfomsg`.
  private struct Link {
    let family: UInt8
    let index: UInt32
    /// IFF_UP, IFF_RUNNING and IFF_LOWER_UP (netdevice(7)).
    let state: UInt32

    init?(_ body: UnsafeRawBufferPointer) {
      guard let family: UInt8 = body.integer(at: 0), let index: UInt32 = body.integer(at: 4),
        let flags: UInt32 = body.integer(at: 8)
      else { return nil }
      self.family = family
      self.index = index
      state = flags & (0x1 | 0x40 | 0x10000)
    }
  }
}

extension UnsafeRawBufferPointer {
  /// The integer in the machine's byte order at `offset`, which is not negative; nil where it does
  /// not fit.
  fileprivate func integer<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Number? {
    guard offset <= count, count - offset >= MemoryLayout<Number>.size else { return nil }
    return loadUnaligned(fromByteOffset: offset, as: Number.self)
  }
}
