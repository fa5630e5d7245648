import COpenSSL

/// OpenSSL's error queue: one per thread, and every failing call adds to it.
enum OpenSSLErrors {
  /// Entries told of one failure; the oldest comes first and is nearly always the cause.
  private static let entriesMax = 3

  /// Empties this thread's queue and says what was in it, oldest first; `nil` if it was empty.
  static func drain() -> String? {
    var words: [String] = []
    while true {
      let code = ERR_get_error()
      guard code != 0 else { break }
      let entry = text(of: code)
      if words.count < entriesMax, !words.contains(entry) { words.append(entry) }
    }
    return words.isEmpty ? nil : words.joined(separator: "; ")
  }

  /// ERR_reason_error_string(3) has no text for errors of the operating system; the long form has
  /// it behind the last colon.
  private static func text(of code: UInt) -> String {
    if let reason = ERR_reason_error_string(code) { return String(cString: reason) }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
      guard let start = text.baseAddress else { return "unknown error" }
      ERR_error_string_n(code, start, text.count)
      let long = String(cString: start)
      return long.split(separator: ":").last.map(String.init) ?? long
    }
  }
}
