import HotlineWire
import NIOCore

/// Where an upstream is: a `ws` or `wss` URL (RFC 6455, 3), taken apart; or a Unix socket of this
/// machine, as `ws+unix:/PATH/OF/THE/SOCKET:/PATH` (so written by npm's `ws`). Any thread.
package struct UpstreamAddress: Hashable, Sendable, CustomStringConvertible {
  /// `wss`: TLS before anything else.
  package let isSecure: Bool
  /// A name in lower case, or an IP address without brackets.
  package let host: String
  package let port: Int
  /// Path and query, as they go into the request line.
  package let target: String
  package let isIPAddress: Bool
  /// The socket, where the server is a Unix socket's; its ``host`` is `localhost` then.
  package let socketPath: String?

  /// Why a text is no such URL, and what would do; quotes nothing of it.
  package struct Invalid: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is to be said of the URL: `has no host`.
    package let explanation: String
    package init(_ explanation: String) { self.explanation = explanation }

    package var description: String { "the URL \(explanation)" }
  }

  /// Longest URL taken.
  package static let urlBytesMax = 4096
  /// unix(7): 108 bytes with a zero at the end.
  package static let socketPathBytesMax = 107

  /// - Throws: ``Invalid`` for what is not exactly scheme, host, perhaps a port, perhaps a path and
  ///   a query; for a user part and a fragment too.
  package init(url: String) throws(Invalid) {
    let bytes = Array(url.utf8)
    guard bytes.count <= Self.urlBytesMax else {
      throw Invalid("is longer than \(Self.urlBytesMax) bytes")
    }
    guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw Invalid(
        "has a space, a control character or one beyond ASCII; write it percent-encoded, a host in "
          + "its xn-- form")
    }
    if let rest = Self.afterSocketScheme(bytes) {
      let (path, after) = try Self.socket(rest)
      (isSecure, host, port, isIPAddress) = (false, "localhost", 80, false)
      socketPath = path
      target = try Self.target(after)
      return
    }
    socketPath = nil
    let rest: ArraySlice<UInt8>
    (isSecure, rest) = try Self.scheme(bytes)
    let authorityEnd = rest.firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? rest.endIndex
    let authority = rest[..<authorityEnd]
    guard !authority.contains(0x40) else {
      throw Invalid("has a user part (…@), which is not sent; put the key in a file")
    }
    let portText: ArraySlice<UInt8>?
    (host, isIPAddress, portText) = try Self.host(authority)
    port = try portText.map(Self.port) ?? (isSecure ? 443 : 80)
    target = try Self.target(rest[authorityEnd...])
  }

  /// `host:port`, as messages name it; an IPv6 address in brackets. Or the socket's path.
  package var description: String { socketPath ?? hostAndPort }

  /// The `Host` field: the port only where it is not the scheme's own (RFC 6455, 4.1).
  package var hostHeader: String { port == (isSecure ? 443 : 80) ? bracketedHost : hostAndPort }

  private var hostAndPort: String { "\(bracketedHost):\(port)" }

  private var bracketedHost: String { host.utf8.contains(0x3A) ? "[\(host)]" : host }

  // MARK: Parts

  private static func scheme(_ url: [UInt8]) throws(Invalid) -> (Bool, ArraySlice<UInt8>) {
    let folded = url.prefix(6).map(lowercased)
    if folded.starts(with: "wss://".utf8) { return (true, url.dropFirst(6)) }
    if folded.starts(with: "ws://".utf8) { return (false, url.dropFirst(5)) }
    throw Invalid(
      "does not begin with wss:// (or ws://, to this machine only); wss://HOST/PATH would do")
  }

  /// What follows the scheme of a URL of a Unix socket, and perhaps its empty authority.
  private static func afterSocketScheme(_ url: [UInt8]) -> ArraySlice<UInt8>? {
    guard url.prefix(8).map(lowercased).elementsEqual("ws+unix:".utf8) else { return nil }
    let rest = url.dropFirst(8)
    return rest.starts(with: "///".utf8) ? rest.dropFirst(2) : rest
  }

  /// A socket's path, and what follows the colon behind it.
  private static func socket(
    _ rest: ArraySlice<UInt8>
  ) throws(Invalid) -> (String, ArraySlice<UInt8>) {
    let colon = rest.firstIndex(of: 0x3A) ?? rest.endIndex
    let path = rest[..<colon]
    guard path.first == 0x2F, path.count > 1, path[path.startIndex + 1] != 0x2F else {
      throw Invalid(
        "has no absolute path of a socket; ws+unix:/run/server.sock:/v1/responses would do")
    }
    guard !path.contains(where: { "?#%".utf8.contains($0) }) else {
      throw Invalid("has a ?, # or % in the path of its socket; a query comes after a colon")
    }
    guard path.count <= Self.socketPathBytesMax else {
      throw Invalid("has a path of a socket of more than \(Self.socketPathBytesMax) bytes")
    }
    return (String(decoding: path, as: UTF8.self), rest[colon...].dropFirst())
  }

  static func host(
    _ authority: ArraySlice<UInt8>
  ) throws(Invalid) -> (String, Bool, ArraySlice<UInt8>?) {
    guard authority.first == 0x5B else {
      let colon = authority.firstIndex(of: 0x3A)
      let name = authority[..<(colon ?? authority.endIndex)]
      let (host, isIPAddress) = try nameOrIPv4(name)
      return (host, isIPAddress, colon.map { authority[($0 + 1)...] })
    }
    guard let bracket = authority.firstIndex(of: 0x5D) else {
      throw Invalid("has a [ and no ]; an IPv6 host is written [::1]")
    }
    let text = String(decoding: authority[(authority.startIndex + 1)..<bracket], as: UTF8.self)
    guard text.utf8.contains(0x3A), !text.utf8.contains(0x25), isAddress(text) else {
      throw Invalid("has a host in brackets that is no IPv6 address")
    }
    let after = authority[(bracket + 1)...]
    guard after.isEmpty || after.first == 0x3A else {
      throw Invalid("has something other than a port after the host's ]")
    }
    return (text.lowercased(), true, after.isEmpty ? nil : after.dropFirst())
  }

  private static func nameOrIPv4(_ name: ArraySlice<UInt8>) throws(Invalid) -> (String, Bool) {
    guard !name.isEmpty else { throw Invalid("has no host; wss://HOST/PATH would do") }
    let labels = name.split(separator: 0x2E, omittingEmptySubsequences: false)
    let isName = labels.allSatisfy { label in
      (1...63).contains(label.count) && label.first != 0x2D && label.last != 0x2D
        && label.allSatisfy(isNameByte)
    }
    guard isName, name.count <= 253 else {
      throw Invalid("has a host that is no host name (letters, digits, - and . between them)")
    }
    let host = String(decoding: name.map(lowercased), as: UTF8.self)
    // WHATWG URL, 3.5 "ends in a number": what looks like an address must be one.
    guard let last = labels.last, last.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return (host, false)
    }
    guard isAddress(host) else { throw Invalid("has a host that is no IPv4 address") }
    return (host, true)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
    default: false
    }
  }

  private static func isAddress(_ text: String) -> Bool {
    (try? SocketAddress(ipAddress: text, port: 0)) != nil
  }

  static func port(_ text: ArraySlice<UInt8>) throws(Invalid) -> Int {
    guard let port = decimal(text), (1...65535).contains(port), text.count <= 5 else {
      throw Invalid("has a port that is no number from 1 to 65535")
    }
    return port
  }

  private static func target(_ text: ArraySlice<UInt8>) throws(Invalid) -> String {
    guard !text.contains(0x23) else {
      throw Invalid("has a fragment (#…), which RFC 6455 forbids; leave it out")
    }
    guard !text.contains(where: { "\"<>\\^`{|}".utf8.contains($0) }) else {
      throw Invalid("has a character in its path or query that must be percent-encoded")
    }
    for index in text.indices where text[index] == 0x25 {
      let digits = text[(index + 1)...].prefix(2)
      guard digits.count == 2, digits.allSatisfy({ isHexDigit($0) }) else {
        throw Invalid("has a % without two hexadecimal digits after it")
      }
    }
    let target = String(decoding: text, as: UTF8.self)
    return text.first == 0x2F ? target : "/" + target
  }
}

func isHexDigit(_ byte: UInt8) -> Bool {
  switch byte {
  case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
  default: false
  }
}
