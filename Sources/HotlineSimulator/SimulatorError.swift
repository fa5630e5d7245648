import COpenSSL

/// Why the simulator could not be set up or told something; never about a client's behaviour.
package struct SimulatorError: Error, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) {
    self.description = description
  }

  /// The step that failed and OpenSSL's own words for it; empties the thread's error queue.
  static func openSSL(_ step: String) -> SimulatorError {
    var reasons: [String] = []
    while true {
      let code = ERR_get_error()
      guard code != 0 else { break }
      var text = [CChar](repeating: 0, count: 256)
      ERR_error_string_n(code, &text, text.count)
      let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      reasons.append(String(decoding: bytes, as: UTF8.self))
    }
    let words = reasons.isEmpty ? "no reason given" : reasons.joined(separator: "; ")
    return SimulatorError("\(step): \(words)")
  }
}
