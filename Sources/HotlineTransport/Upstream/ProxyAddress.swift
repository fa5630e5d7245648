import HotlineWire

/// A proxy's URL, taken apart. Any thread.
package struct ProxyAddress: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// HTTP CONNECT (RFC 9110, 9.3.6).
    case http
    /// The same over TLS.
    case https
    /// SOCKS version 5 (RFC 1928); names are looked up here.
    case socks5
    /// The same; names are looked up by the proxy.
    case socks5h

    var defaultPort: Int {
      switch self {
      case .http: 80
      case .https: 443
      case .socks5, .socks5h: 1080
      }
    }
  }

  /// Why a text is no such URL, in words that quote nothing of it.
  package typealias Invalid = UpstreamAddress.Invalid

  package let kind: Kind
  /// A name in lower case, or an IP address without brackets.
  package let host: String
  package let isIPAddress: Bool
  package let port: Int
  package let credentials: ProxyCredentials?

  /// `http://HOST:PORT`, as messages name it: without user and password.
  package var description: String {
    let isIPv6 = host.utf8.contains(0x3A)
    return "\(kind.rawValue)://\(isIPv6 ? "[\(host)]" : host):\(port)"
  }

  package var isSecure: Bool { kind == .https }
  package var hasCredentials: Bool { credentials != nil }

  /// - Throws: ``Invalid`` for what is not a scheme (`http://` where there is none), perhaps a user
  ///   and a password, a host, perhaps a port.
  package init(url: String) throws(Invalid) {
    let bytes = Array(url.utf8)
    guard bytes.count <= UpstreamAddress.urlBytesMax else {
      throw Invalid("is longer than \(UpstreamAddress.urlBytesMax) bytes")
    }
    guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw Invalid(
        "has a space, a control character or one beyond ASCII: write it percent-encoded")
    }
    var authority: ArraySlice<UInt8>
    (kind, authority) = try Self.scheme(bytes)
    if authority.last == 0x2F { authority.removeLast() }
    guard !authority.contains(where: { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 }) else {
      throw Invalid(
        "has something behind the proxy's host and port: leave it out (/, ? and # in a password "
          + "are written %2F, %3F and %23)")
    }
    if let at = authority.lastIndex(of: 0x40) {
      credentials = try ProxyCredentials(userInfo: authority[..<at], kind)
      authority = authority[(at + 1)...]
    } else {
      credentials = nil
    }
    let portText: ArraySlice<UInt8>?
    (host, isIPAddress, portText) = try UpstreamAddress.host(authority)
    port = try portText.map(UpstreamAddress.port) ?? kind.defaultPort
  }

  private static func scheme(_ url: [UInt8]) throws(Invalid) -> (Kind, ArraySlice<UInt8>) {
    guard let range = url.firstRange(of: Array("://".utf8)) else { return (.http, url[...]) }
    let scheme = String(decoding: url[..<range.lowerBound].map(lowercased), as: UTF8.self)
    guard let kind = Kind(rawValue: scheme) else {
      throw Invalid("begins with none of http://, https://, socks5:// and socks5h://")
    }
    return (kind, url[range.upperBound...])
  }
}

/// User and password of a proxy. It cannot be printed, not even by `dump`.
package struct ProxyCredentials: Hashable, Sendable {
  package let user: [UInt8]
  package let password: [UInt8]

  fileprivate init(
    userInfo: ArraySlice<UInt8>, _ kind: ProxyAddress.Kind
  ) throws(ProxyAddress.Invalid) {
    let colon = userInfo.firstIndex(of: 0x3A) ?? userInfo.endIndex
    user = try Self.decoded(userInfo[..<colon])
    password = try Self.decoded(userInfo[colon...].dropFirst())
    guard !user.isEmpty else { throw .init("has an @ and no user before it") }
    switch kind {
    case .http, .https:
      // RFC 7617, 2.
      guard !user.contains(0x3A) else {
        throw .init("has a user with a : (%3A) in it, which Basic authentication cannot send")
      }
    case .socks5, .socks5h:
      // RFC 1929, 2.
      guard user.count <= 255, password.count <= 255 else {
        throw .init("has a user or a password longer than the 255 bytes that SOCKS can send")
      }
    }
  }

  private static func decoded(_ text: ArraySlice<UInt8>) throws(ProxyAddress.Invalid) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      guard byte == 0x25 else {
        bytes.append(byte)
        continue
      }
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      guard digits.utf8.count == 2, digits.utf8.allSatisfy(isHexDigit),
        let decoded = UInt8(digits, radix: 16)
      else {
        throw .init("has a user or a password with a % without two hexadecimal digits after it")
      }
      bytes.append(decoded)
      rest = rest.dropFirst(2)
    }
    guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      throw .init("has a user or a password with a control character in it")
    }
    return bytes
  }

  /// RFC 7617, 2.
  package var basic: String { base64(user + [0x3A] + password) }

  /// What a proxy may say back, in any form.
  var secrets: [[UInt8]] { [user, password, Array(basic.utf8)] }
}

extension ProxyCredentials: CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  package var description: String { "<secret>" }
  package var debugDescription: String { "<secret>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
