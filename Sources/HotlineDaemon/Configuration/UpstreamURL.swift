/// A `ws` or `wss` URL (RFC 6455, 3), taken apart.
package struct UpstreamURL: Hashable, Sendable {
  /// As configured.
  package let text: String
  /// `wss`, TLS.
  package let isSecure: Bool
  /// A name or an IPv4 address, or an IPv6 address without its brackets.
  package let host: String
  package let port: Int
  /// Path and query, as they stand in the request line.
  package let target: String

  /// Why a text is no URL to connect to, and what would do.
  struct Problem: Error, Hashable {
    let explanation: String
  }

  init(text: String, isSecure: Bool, host: String, port: Int, target: String) {
    self.text = text
    self.isSecure = isSecure
    self.host = host
    self.port = port
    self.target = target
  }

  /// - Throws: a problem that quotes nothing of the text.
  init(_ text: String) throws(Problem) {
    guard text.utf8.count <= 2048 else { throw Problem(explanation: "longer than 2048 bytes") }
    guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw Problem(
        explanation: "white space, a control character or one that is not ASCII in it; "
          + "percent-encode it")
    }
    guard let (scheme, rest) = Self.split(text[...], at: "://") else {
      throw Problem(explanation: "has no scheme; wss://HOST/PATH would do")
    }
    switch scheme.lowercased() {
    case "wss": isSecure = true
    case "ws": isSecure = false
    default:
      throw Problem(
        explanation: "has another scheme than wss (or ws, to this machine only); "
          + "wss://HOST/PATH would do")
    }
    guard !rest.utf8.contains(UInt8(ascii: "#")) else {
      throw Problem(explanation: "has a fragment (#…), which RFC 6455 forbids; leave it out")
    }
    let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = rest[..<authorityEnd]
    guard !authority.utf8.contains(UInt8(ascii: "@")) else {
      throw Problem(explanation: "has a user part (…@), which is not sent; put the key in a file")
    }
    (host, port) = try Self.hostAndPort(authority, defaultPort: isSecure ? 443 : 80)
    let tail = rest[authorityEnd...]
    target = tail.hasPrefix("/") ? String(tail) : "/" + tail
    self.text = text
    guard isSecure || Self.isLoopback(host) else {
      throw Problem(
        explanation: "ws:// sends the key in the clear, so it is for this machine only "
          + "(127.0.0.0/8, ::1, localhost); use wss://")
    }
  }

  private static func split(
    _ text: Substring, at separator: String
  ) -> (Substring, Substring)? {
    guard let range = text.firstRange(of: separator) else { return nil }
    return (text[..<range.lowerBound], text[range.upperBound...])
  }

  private static func hostAndPort(
    _ authority: Substring, defaultPort: Int
  ) throws(Problem) -> (String, Int) {
    var host = authority
    var portText: Substring?
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else {
        throw Problem(explanation: "has a [ without a ]; an IPv6 host is written [::1]")
      }
      host = authority[authority.index(after: authority.startIndex)..<end]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else {
        throw Problem(explanation: "has something between the host's ] and the port")
      }
      portText = rest.isEmpty ? nil : rest.dropFirst()
      guard !host.isEmpty, host.utf8.allSatisfy({ isHexDigit($0) || $0 == 0x3A || $0 == 0x2E })
      else { throw Problem(explanation: "its host in brackets is no IPv6 address") }
    } else {
      if let colon = authority.firstIndex(of: ":") {
        host = authority[..<colon]
        portText = authority[authority.index(after: colon)...]
      }
      guard !host.isEmpty, host.utf8.count <= 253, host.utf8.allSatisfy(isHostCharacter) else {
        throw Problem(explanation: "has no valid host; letters, digits, dots and hyphens would do")
      }
    }
    guard let portText, !portText.isEmpty else { return (String(host), defaultPort) }
    guard portText.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let port = Int(portText),
      1...65535 ~= port
    else { throw Problem(explanation: "its port is not a number from 1 to 65535") }
    return (String(host), port)
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
    default: false
    }
  }

  private static func isHostCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// The addresses that never leave the machine; `127.1` and the like are not recognised.
  private static func isLoopback(_ host: String) -> Bool {
    if host == "::1" || host.lowercased() == "localhost" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    let octets = parts.compactMap { $0.utf8.count <= 3 ? UInt8($0) : nil }
    return parts.count == 4 && octets.count == 4 && octets[0] == 127
  }

  /// For logs and status: without the query, which may hold a token.
  package var displayed: String { Self.displayed(text) }

  /// Any text given as a URL, valid or not, without what may be a user part, a query or a fragment.
  static func displayed(_ text: String) -> String {
    var scheme = ""
    var rest = text[...]
    if let (head, tail) = split(rest, at: "://"),
      ["ws", "wss", "http", "https"].contains(head.lowercased())
    {
      scheme = head + "://"
      rest = tail
    }
    let query = rest.firstIndex { $0 == "?" || $0 == "#" }
    let user = rest.lastIndex(of: "@")
    switch (user, query) {
    case (nil, nil): return scheme + rest
    case (nil, let query?): return scheme + rest[..<query] + "?…"
    case (let user?, nil): return scheme + "…" + rest[user...]
    // Which of the two comes first is the writer's mistake to make: either part may be secret.
    case (.some, .some): return scheme + "…"
    }
  }
}
