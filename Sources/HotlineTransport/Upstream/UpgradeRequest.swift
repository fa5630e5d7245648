import NIOCore

/// A header field of the upgrade that the configuration asks for.
package struct UpgradeHeader: Hashable, Sendable {
  package let name: String
  let value: Value

  enum Value: Hashable, Sendable {
    case plain(String)
    /// It is struck out of everything that the server says.
    case secret(ProtectedBytes)
  }

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
    self.value = isSecret ? .secret(.copy(of: bytes)) : .plain(value)
  }

  /// A header with a secret that is copied to no other place, such as `Bearer ` and a key.
  ///
  /// - Precondition: `name` and `prefix` are good for any header.
  /// - Throws: ``Invalid`` if the secret has something else than visible ASCII in it.
  package init(
    _ name: String, prefix: String, secret: UnsafeRawBufferPointer
  ) throws(Invalid) {
    guard secret.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw Invalid(description: "the secret of header \"\(name)\" is not visible ASCII")
    }
    self.name = name
    let prefix = Array(prefix.utf8)
    value = .secret(prefix.withUnsafeBytes { ProtectedBytes($0, secret) })
  }

  /// What to strike out: the value; of credentials what follows the scheme, for `Bearer` alone is
  /// no secret and stands in many an answer (RFC 9110, 11.4).
  var secrets: [ProtectedBytes] {
    guard case .secret(let secret) = value else { return [] }
    guard name.lowercased().hasSuffix("authorization"),
      let space = secret.bytes.firstIndex(of: 0x20)
    else { return [secret] }
    // It has no white space at its end.
    let begin = secret.bytes[space...].firstIndex { $0 != 0x20 && $0 != 0x09 } ?? space
    return [secret.dropping(begin)]
  }

  func write(to out: inout ByteBuffer) {
    out.writeString("\(name): ")
    switch value {
    case .plain(let text): out.writeString(text)
    case .secret(let secret): out.writeBytes(secret.bytes)
    }
    out.writeString("\r\n")
  }
}

extension SecretRedactor {
  /// Strikes out the secrets among `headers`.
  package init(headers: [UpgradeHeader]) {
    self.init(protected: headers.flatMap(\.secrets))
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
    for header in headers { header.write(to: &out) }
    out.writeString("\r\n")
    return out
  }

  /// Sub-protocols that the server may choose from.
  var subprotocols: [String] {
    headers.filter { $0.name.lowercased() == "sec-websocket-protocol" }.flatMap { header in
      let bytes: [UInt8] =
        switch header.value {
        case .plain(let text): Array(text.utf8)
        case .secret(let secret): Array(secret.bytes)
        }
      return bytes.split(separator: 0x2C).map { String(decoding: trimmed($0), as: UTF8.self) }
    }
  }
}
