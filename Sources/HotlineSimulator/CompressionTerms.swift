/// What the simulated server agrees to of permessage-deflate (RFC 7692, 7.1).
package struct CompressionTerms: Equatable, Sendable {
  package var serverNoContextTakeover = false
  package var clientNoContextTakeover = false
  /// Windows as powers of two; nil: not spoken of, which means 15.
  package var serverMaxWindowBits: Int?
  package var clientMaxWindowBits: Int?

  package init() {}

  private enum Parameter: String {
    case serverNoContextTakeover = "server_no_context_takeover"
    case clientNoContextTakeover = "client_no_context_takeover"
    case serverMaxWindowBits = "server_max_window_bits"
    case clientMaxWindowBits = "client_max_window_bits"
  }

  private typealias Item = (name: String, value: String?)

  /// Reads the parameters that the server answers with, as they stand in a header: `on` for none of
  /// them, else such as `server_no_context_takeover; client_max_window_bits=10`.
  ///
  /// - Throws: `SimulatorError` that names what is not understood.
  package init(parsing text: String) throws {
    self.init()
    guard text != "on" else { return }
    for item in Self.items(text) {
      let bits = item.value.flatMap(Self.windowBits)
      switch Parameter(rawValue: item.name) {
      case .serverNoContextTakeover where item.value == nil: serverNoContextTakeover = true
      case .clientNoContextTakeover where item.value == nil: clientNoContextTakeover = true
      // zlib compresses with no smaller window.
      case .serverMaxWindowBits where bits ?? 0 > 8: serverMaxWindowBits = bits
      case .clientMaxWindowBits where bits != nil: clientMaxWindowBits = bits
      case nil, .serverNoContextTakeover, .clientNoContextTakeover, .serverMaxWindowBits,
        .clientMaxWindowBits:
        throw SimulatorError(
          "compression: \(item.name) is not understood; write on, none, or parameters such as "
            + "server_no_context_takeover; client_max_window_bits=10 (bits from 8, server's from 9)"
        )
      }
    }
  }

  /// The first of a client's offers that can be met, as it is then agreed; nil if there is none.
  ///
  /// - Parameter fields: values of `Sec-WebSocket-Extensions`.
  func agreed(to fields: [String]) -> CompressionTerms? {
    for offer in fields.flatMap({ $0.split(separator: ",") }) {
      let items = Self.items(String(offer))
      guard let first = items.first, first.name == "permessage-deflate", first.value == nil,
        Set(items.map(\.name)).count == items.count
      else { continue }
      if let terms = meet(items.dropFirst()) { return terms }
    }
    return nil
  }

  private func meet(_ items: ArraySlice<Item>) -> CompressionTerms? {
    var terms = self
    var mayLimitClient = false
    for item in items {
      let bits = item.value.flatMap(Self.windowBits)
      switch Parameter(rawValue: item.name) {
      case .serverNoContextTakeover where item.value == nil: terms.serverNoContextTakeover = true
      // A hint that the client will do so in any case.
      case .clientNoContextTakeover where item.value == nil: break
      case .serverMaxWindowBits:
        guard let bits, bits > 8 else { return nil }
        terms.serverMaxWindowBits = min(bits, serverMaxWindowBits ?? 15)
      case .clientMaxWindowBits:
        guard item.value == nil || bits != nil else { return nil }
        mayLimitClient = true
        if let bits { terms.clientMaxWindowBits = min(bits, clientMaxWindowBits ?? 15) }
      case nil, .serverNoContextTakeover, .clientNoContextTakeover: return nil
      }
    }
    // Only a client that says that it can may be told (7.1.2.2).
    return clientMaxWindowBits == nil || mayLimitClient ? terms : nil
  }

  /// As the answer to the upgrade says it.
  var field: String {
    var words = ["permessage-deflate"]
    if serverNoContextTakeover { words.append(Parameter.serverNoContextTakeover.rawValue) }
    if clientNoContextTakeover { words.append(Parameter.clientNoContextTakeover.rawValue) }
    if let serverMaxWindowBits {
      words.append("\(Parameter.serverMaxWindowBits.rawValue)=\(serverMaxWindowBits)")
    }
    if let clientMaxWindowBits {
      words.append("\(Parameter.clientMaxWindowBits.rawValue)=\(clientMaxWindowBits)")
    }
    return words.joined(separator: "; ")
  }

  private static func items(_ text: String) -> [Item] {
    text.split(separator: ";").map { item in
      let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let words = parts.map { part in
        String(part.filter { $0 != " " && $0 != "\t" && $0 != "\"" })
      }
      return (words[0], words.count > 1 ? words[1] : nil)
    }
  }

  private static func windowBits(_ text: String) -> Int? {
    // Without leading zeroes (7.1.2.1).
    guard let bits = Int(text), (8...15).contains(bits), String(bits) == text else { return nil }
    return bits
  }
}
