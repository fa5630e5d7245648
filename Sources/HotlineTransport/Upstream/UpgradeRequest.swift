import NIOCore

/// A header field of the upgrade that the configuration asks for.
package struct UpgradeHeader: Hashable, Sendable {
  package let name: String
  package let value: String
  /// Its value is struck out of everything that the server says.
  package let isSecret: Bool

  /// Why a name or a value cannot be sent. Names the field, never its value.
  package struct Invalid: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
  }

  /// The handshake's own fields, and those that would give the request a body.
  private static let reserved: Set<String> = [
    "host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version",
    "sec-websocket-extensions", "sec-websocket-accept", "content-length", "transfer-encoding",
    "expect", "trailer", "te",
  ]

  /// - Throws: ``Invalid`` for a name that is no token (RFC 9110, 5.1) or is one of the handshake's
  ///   own, for a value with a control character, or with white space at its ends.
  package init(_ name: String, _ value: String, isSecret: Bool) throws(Invalid) {
    guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
      let shown = visibleText(name.utf8.prefix(64))
      throw Invalid(
        description: "header name \"\(shown)\" is not a token: use letters, digits and -")
    }
    guard !Self.reserved.contains(name.lowercased()) else {
      throw Invalid(description: "header \"\(name)\" belongs to the handshake: leave it out")
    }
    let bytes = Array(value.utf8)
    guard bytes.allSatisfy(isFieldByte), trimmed(bytes[...]).count == bytes.count else {
      throw Invalid(
        description: "the value of header \"\(name)\" has a control character, or white space "
          + "at its beginning or end: remove it (a line end, perhaps)")
    }
    self.name = name
    self.value = value
    self.isSecret = isSecret
  }

  /// What to strike out: the value; of credentials what follows the scheme, for `Bearer` alone is
  /// no secret and stands in many an answer (RFC 9110, 11.4).
  var secrets: [[UInt8]] {
    guard isSecret else { return [] }
    let bytes = Array(value.utf8)
    guard name.lowercased().hasSuffix("authorization"), let space = bytes.firstIndex(of: 0x20)
    else { return [bytes] }
    return [Array(trimmed(bytes[space...]))]
  }
}

extension SecretRedactor {
  /// Strikes out the secrets among `headers`.
  package init(headers: [UpgradeHeader]) {
    self.init(headers.flatMap(\.secrets))
  }
}

/// The request for a WebSocket (RFC 6455, 4.1). Any thread.
package struct UpgradeRequest {
  let address: UpstreamAddress
  let headers: [UpgradeHeader]
  /// Base64 of sixteen random bytes.
  let key: String
  /// Offers ``DeflateParameters/offer``.
  let offersDeflate: Bool

  package init(
    _ address: UpstreamAddress, headers: [UpgradeHeader], nonce: [UInt8],
    offersDeflate: Bool = false
  ) {
    self.address = address
    self.headers = headers
    self.key = base64(nonce)
    self.offersDeflate = offersDeflate
  }

  var bytes: ByteBuffer {
    var out = ByteBuffer()
    out.writeString("GET \(address.target) HTTP/1.1\r\nHost: \(address.hostHeader)\r\n")
    out.writeString("Upgrade: websocket\r\nConnection: Upgrade\r\n")
    out.writeString("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n")
    if offersDeflate {
      out.writeString("Sec-WebSocket-Extensions: \(DeflateParameters.offer)\r\n")
    }
    for header in headers { out.writeString("\(header.name): \(header.value)\r\n") }
    out.writeString("\r\n")
    return out
  }

  /// Sub-protocols that the server may choose from.
  var subprotocols: [String] {
    headers.filter { $0.name.lowercased() == "sec-websocket-protocol" }.flatMap { header in
      Array(header.value.utf8).split(separator: 0x2C).map {
        String(decoding: trimmed($0), as: UTF8.self)
      }
    }
  }
}
