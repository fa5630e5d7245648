import Glibc

/// Addresses of names, by the C library (getaddrinfo(3)): `/etc/hosts`, DNS and what else
/// nsswitch.conf(5) names.
package enum NameLookup {
  package enum Family: Hashable, Sendable, CaseIterable {
    case ipv6
    case ipv4
    /// Both, in the order of RFC 6724.
    case any
  }

  package struct Failure: Error, Hashable, Sendable {
    /// In the C library's words (gai_strerror(3)).
    package let description: String
    /// The name has no address of this family, as opposed to nobody being there to ask.
    package let isDefinite: Bool

    package init(_ description: String, isDefinite: Bool) {
      self.description = description
      self.isDefinite = isDefinite
    }
  }

  package typealias Function = @Sendable (String, Family) -> Result<[String], Failure>

  /// The addresses as text, without duplicates. Blocks, for as long as a name server does not
  /// answer: not on a loop.
  @Sendable package static func addresses(
    of name: String, _ family: Family
  ) -> Result<[String], Failure> {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_family =
      switch family {
      case .ipv6: AF_INET6
      case .ipv4: AF_INET
      case .any: AF_UNSPEC
      }
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(name, nil, &hints, &list)
    guard code == 0 else { return .failure(failure(code)) }
    defer { freeaddrinfo(list) }
    var addresses: [String] = []
    var next = list
    while let entry = next {
      next = entry.pointee.ai_next
      if let text = text(of: entry.pointee), !addresses.contains(text) { addresses.append(text) }
    }
    return .success(addresses)
  }

  /// Asks on a thread of its own, which stays for as long as a name server does not answer.
  ///
  /// - Parameter answered: is called once, on that thread; where the system has none left, at once.
  package static func inBackground(
    _ lookup: @escaping Function, of name: String, _ family: Family,
    answered: @escaping @Sendable (Result<[String], Failure>) -> Void
  ) {
    do {
      try DetachedThread.start("hotline-lookup") { answered(lookup(name, family)) }
    } catch {
      answered(.failure(Failure("\(error)", isDefinite: false)))
    }
  }

  private static func failure(_ code: Int32) -> Failure {
    // EAI_NODATA is a GNU extension that Swift's module lacks.
    let noData: Int32 = -5
    let words =
      code == EAI_SYSTEM ? String(cString: strerror(errno)) : String(cString: gai_strerror(code))
    return Failure(words, isDefinite: code == EAI_NONAME || code == noData)
  }

  private static func text(of entry: addrinfo) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { host in
      let code = getnameinfo(
        entry.ai_addr, entry.ai_addrlen, host.baseAddress, socklen_t(host.count), nil, 0,
        NI_NUMERICHOST)
      return code == 0 ? host.baseAddress.map { String(cString: $0) } : nil
    }
  }

  /// The 4 or 16 bytes of an IP address in text; `nil` for what is none. An IPv4 address in IPv6's
  /// clothes (RFC 4291, 2.5.5.2) has 4.
  static func addressBytes(_ text: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes.prefix(4)) }
    guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
    let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    return isMapped ? Array(bytes.suffix(4)) : bytes
  }
}
