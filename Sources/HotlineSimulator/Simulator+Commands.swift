extension Simulator {
  /// Obeys one line of text: `set NAME VALUE`, `drop|reset|truncate|dead all`, `close all CODE`,
  /// `send TEXT`, `listen on|off`, `stats`.
  ///
  /// - Returns: one line of JSON: the statistics, `{"ok":true}`, or an `error` that says what is
  ///   wrong.
  package func perform(_ command: String) async -> String {
    let words = command.split(maxSplits: 2, whereSeparator: \.isWhitespace).map(String.init)
    do {
      return try await perform(words)
    } catch {
      return #"{"error":\#(JSONText.quoted("\(error)"))}"#
    }
  }

  private func perform(_ words: [String]) async throws -> String {
    let argument = words.count > 1 ? words[1] : ""
    switch words.first {
    case "stats": return try await statistics().json
    case "set":
      guard words.count == 3 else { throw SimulatorError("set: write a name and a value after it") }
      // Checked here, so that the change on the loop cannot fail.
      var probe = SimulatorBehaviour()
      try probe.set(argument, to: words[2])
      try await update { try? $0.set(argument, to: words[2]) }
    case "send": try await send(words.dropFirst().joined(separator: " "))
    case "listen" where argument == "off": try await pause()
    case "listen" where argument == "on": try await start()
    case "drop", "reset", "truncate", "dead", "close":
      guard argument == "all" else { throw SimulatorError("\(words[0]): write all after it") }
      let text = ([words[0]] + words.dropFirst(2)).joined(separator: " ")
      for scheduled in try FaultPlan(parsing: text).faults { try await end(scheduled.fault) }
    default: throw SimulatorError("unknown command \(words.first ?? "")")
    }
    return #"{"ok":true}"#
  }
}
