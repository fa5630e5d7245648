import HotlineTransport

/// A `ws` or `wss` URL that a key may be sent to.
package struct UpstreamURL: Hashable, Sendable {
  /// As configured.
  package let text: String
  package let address: UpstreamAddress

  package var isSecure: Bool { address.isSecure }
  package var host: String { address.host }
  package var port: Int { address.port }

  /// - Throws: what is wrong with it, quoting nothing of it.
  init(_ text: String) throws(UpstreamAddress.Invalid) {
    self.text = text
    address = try UpstreamAddress(url: text)
    guard isSecure || address.socketPath != nil || Self.isLoopback(host) else {
      throw UpstreamAddress.Invalid(
        "begins with ws://, which sends the key in the clear, so it is for this machine only "
          + "(127.0.0.0/8, ::1, localhost); use wss://")
    }
  }

  /// One of our own.
  init(known text: String) {
    do {
      try self.init(text)
    } catch {
      preconditionFailure("\(text): \(error)")
    }
  }

  /// The addresses that never leave the machine; `127.1` and the like are not recognised.
  static func isLoopback(_ host: String) -> Bool {
    if host == "::1" || host.lowercased() == "localhost" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    let octets = parts.compactMap { $0.utf8.count <= 3 ? UInt8($0) : nil }
    return parts.count == 4 && octets.count == 4 && octets[0] == 127
  }

  private static func split(
    _ text: Substring, at separator: String
  ) -> (Substring, Substring)? {
    guard let range = text.firstRange(of: separator) else { return nil }
    return (text[..<range.lowerBound], text[range.upperBound...])
  }

  /// For logs and status: without the query, which may hold a token.
  package var displayed: String { Self.displayed(text) }

  /// Any text given as a URL, valid or not, without what may be a user part, a query or a fragment.
  static func displayed(_ text: String) -> String {
    // The path of a socket has no user part, whatever it looks like.
    if text.lowercased().hasPrefix("ws+unix:/"), !text.contains("#") {
      return text.firstIndex(of: "?").map { text[..<$0] + "?…" } ?? text
    }
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
