/// The name a server's certificate must carry, as an URL has it but without brackets.
struct TLSServerName: Hashable, Sendable {
  /// RFC 1035, 2.3.4: the longest name, without the dot of the root.
  static let bytesMax = 253

  /// Lower case, without a trailing dot (RFC 6066, 3, wants neither in SNI).
  let text: String

  /// - Throws: `TLSError` of kind `configuration`. OpenSSL takes an empty name for "any name", so
  ///   nothing may pass here that it could take for one.
  init(_ name: String) throws(TLSError) {
    var bytes = Array(name.utf8)
    if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
    guard !bytes.isEmpty else {
      throw TLSError(.configuration, "the server name \"\(name)\" is empty; give a host name")
    }
    guard bytes.count <= Self.bytesMax else {
      throw TLSError(
        .configuration, "the server name has \(bytes.count) bytes, at most \(Self.bytesMax) can be")
    }
    guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw TLSError(
        .configuration, "the server name has a byte that is not printable ASCII; use its xn-- form")
    }
    text = String(decoding: bytes, as: UTF8.self).lowercased()
  }
}
