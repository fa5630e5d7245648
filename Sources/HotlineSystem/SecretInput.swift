import Glibc

/// Reads a key from a person or from a pipe.
package enum SecretInput {
  /// Reads one key: at a terminal a line that is not shown, else all there is.
  ///
  /// Nothing of it is ever in memory that is not a ``Secret``'s. An interrupt (Ctrl-C) ends the
  /// process with the terminal as it was.
  /// - Parameter prompt: written to the terminal; nothing is written elsewhere.
  /// - Throws: ``KeyProblem``.
  package static func read(_ descriptor: Int32, prompt: String) throws(KeyProblem) -> Secret {
    guard isatty(descriptor) == 1 else {
      return try Secret(filledBy: { fill($0, from: descriptor, isLine: false) })
    }
    let terminal = HiddenTerminal(descriptor)
    defer { terminal.restore() }
    terminal.write(prompt)
    return try Secret(filledBy: { fill($0, from: descriptor, isLine: true) })
  }

  private static func fill(
    _ memory: UnsafeMutableRawBufferPointer, from descriptor: Int32, isLine: Bool
  ) -> Result<Int, FileProblem> {
    var filled = 0
    while filled < memory.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: memory[filled...])
      let count = SmallFile.readSome(descriptor, into: rest)
      guard count >= 0 else { return .failure(.unreadable(errorText(errno))) }
      filled += count
      // A terminal gives a line at a time.
      if count == 0 || (isLine && memory[filled - 1] == 0x0A) { break }
    }
    return .success(filled)
  }
}

/// The terminal as it was, for the signal handler; set once, before the handler is.
///
/// The settings are on the heap, for Swift 6.3 gives a global `termios` three bytes too few.
nonisolated(unsafe) private var formerTerminal:
  (descriptor: Int32, settings: UnsafeMutablePointer<termios>)?

/// A terminal that does not show what is typed.
private struct HiddenTerminal {
  private let descriptor: Int32

  /// Signals that a terminal, or somebody who gives up, sends.
  private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    let settings = UnsafeMutablePointer<termios>.allocate(capacity: 1)
    settings.initialize(to: termios())
    guard tcgetattr(descriptor, settings) == 0 else {
      settings.deallocate()
      return
    }
    formerTerminal = (descriptor, settings)
    for each in Self.signals {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        if let former = formerTerminal {
          tcsetattr(former.descriptor, TCSANOW, former.settings)
        }
        signal(number, SIG_DFL)
        raise(number)
      }
      sigaction(each, &action, nil)
    }
    var hidden = settings.pointee
    hidden.c_lflag &= ~tcflag_t(ECHO)
    // What was typed ahead was shown already, and is thrown away.
    tcsetattr(descriptor, TCSAFLUSH, &hidden)
  }

  func write(_ text: String) {
    let bytes = Array(LogText.sanitized(text).utf8)
    _ = Glibc.write(descriptor, bytes, bytes.count)
  }

  func restore() {
    if let former = formerTerminal { tcsetattr(descriptor, TCSANOW, former.settings) }
    for each in Self.signals { signal(each, SIG_DFL) }
    _ = Glibc.write(descriptor, "\n", 1)
  }
}
