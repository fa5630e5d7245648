/// The hosts that are reached without the proxy of the environment: `NO_PROXY`.
///
/// There is no standard for it; this is what curl(1) does, and CIDR blocks. Entries are separated
/// by commas or white space. What is no entry is left out: the variable is shared with programs
/// that know other forms. Pure value; any thread.
package struct ProxyBypass: Hashable, Sendable {
  private enum Pattern: Hashable {
    case everything
    /// A name and all below it.
    case domain(String)
    case block([UInt8], bits: Int)
  }

  private struct Entry: Hashable {
    var pattern: Pattern
    var port: Int?
  }

  private let entries: [Entry]

  package init(_ list: String) {
    let separators = Set(", \t\r\n".utf8)
    entries = list.utf8.split(whereSeparator: separators.contains).compactMap { text in
      Self.entry(String(decoding: text.map(lowercased), as: UTF8.self))
    }
  }

  /// - Parameter host: a name in lower case, or an IP address without brackets.
  package func covers(host: String, port: Int) -> Bool {
    let address = NameLookup.addressBytes(host)
    let name = host.hasSuffix(".") ? String(host.dropLast()) : host
    return entries.contains { entry in
      guard entry.port ?? port == port else { return false }
      switch entry.pattern {
      case .everything: return true
      case .domain(let domain):
        return address == nil && (name == domain || name.hasSuffix("." + domain))
      case .block(let prefix, let bits):
        return address.map { Self.isSame($0, prefix, bits: bits) } ?? false
      }
    }
  }

  private static func entry(_ text: String) -> Entry? {
    if text == "*" { return Entry(pattern: .everything) }
    if let block = block(text[...]) { return Entry(pattern: block) }
    var host = text[...]
    var port: Int?
    if let colon = text.lastIndex(of: ":") {
      guard let number = Int(text[text.index(after: colon)...]), (1...65535).contains(number)
      else { return nil }
      port = number
      host = text[..<colon]
      if host == "*" { return Entry(pattern: .everything, port: port) }
      if let block = block(host) { return Entry(pattern: block, port: port) }
    }
    if host.hasPrefix("*.") { host = host.dropFirst() }
    while host.hasPrefix(".") { host = host.dropFirst() }
    if host.hasSuffix(".") { host = host.dropLast() }
    let isName = host.utf8.allSatisfy { $0 != 0x2A && $0 != 0x2F && $0 != 0x3A && $0 != 0x5B }
    return host.isEmpty || !isName ? nil : Entry(pattern: .domain(String(host)), port: port)
  }

  /// An address, in brackets or not, or a CIDR block (RFC 4632, 3.1; RFC 4291, 2.3).
  private static func block(_ text: Substring) -> Pattern? {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    var address = parts[0]
    if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
    guard let bytes = NameLookup.addressBytes(String(address)) else { return nil }
    guard parts.count == 2 else { return .block(bytes, bits: bytes.count * 8) }
    guard let bits = Int(parts[1]), (0...(bytes.count * 8)).contains(bits) else { return nil }
    return .block(bytes, bits: bits)
  }

  private static func isSame(_ address: [UInt8], _ prefix: [UInt8], bits: Int) -> Bool {
    guard address.count == prefix.count else { return false }
    return prefix.indices.allSatisfy { index in
      let wanted = min(max(bits - index * 8, 0), 8)
      return (address[index] ^ prefix[index]) & ~UInt8(truncatingIfNeeded: 0xFF >> wanted) == 0
    }
  }
}
