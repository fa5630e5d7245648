/// A host and port of this machine alone: `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`.
package struct MetricsAddress: Hashable, Sendable, CustomStringConvertible {
  package let host: String
  /// 0 for one that is free.
  package let port: Int

  /// Nil for what is none.
  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    guard !digits.isEmpty, digits.allSatisfy({ "0"..."9" ~= $0 }), let port = UInt16(digits),
      UpstreamURL.isLoopback(host)
    else { return nil }
    self.host = host
    self.port = Int(port)
  }

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
