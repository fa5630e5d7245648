import Glibc

/// How the terminal was before; for the handler of signals that end the program.
nonisolated(unsafe) private var formerAttributes: termios?
/// Leaves the alternate screen, and shows the cursor again (xterm's control sequences).
private let farewell = Array("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l".utf8)

/// A terminal that is drawn on as a whole, and given back as it was.
struct TerminalScreen {
  private let output = STDOUT_FILENO
  /// What the terminal shows can be more than ASCII.
  let isUnicode: Bool

  /// Takes the terminal over for the rest of the program.
  ///
  /// - Throws: `.usage` where there is none that can be drawn on.
  init() throws(CommandFailure) {
    guard let line = TransientLine(STDOUT_FILENO), isatty(STDIN_FILENO) == 1 else {
      throw CommandFailure(
        .usage, "top needs a terminal that can be drawn on; \"hotline watch\" needs none")
    }
    isUnicode = line.isUnicode
    var attributes = termios()
    tcgetattr(STDIN_FILENO, &attributes)
    formerAttributes = attributes
    // Keys come one by one, and Ctrl-C is one of them (termios(3)).
    attributes.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
    tcsetattr(STDIN_FILENO, TCSANOW, &attributes)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      TerminalScreen.restore()
      _exit(128 + number)
    }
    for number in [SIGTERM, SIGHUP] { sigaction(number, &action, nil) }
    // It only has poll(2) come back, so that the new size is seen.
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGWINCH, &action, nil)
    // Without wrapping: what is wider than its count of characters must not push others down.
    Self.write(Array("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l".utf8))
  }

  var size: (columns: Int, rows: Int) {
    var size = winsize()
    let isKnown = ioctl(output, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 && size.ws_row > 0
    return isKnown ? (max(20, Int(size.ws_col)), max(5, Int(size.ws_row))) : (80, 24)
  }

  /// Draws over what is there, so that nothing flickers.
  func draw(_ lines: [String]) {
    let text = lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n")
    Self.write(Array("\u{1B}[H\(text)\u{1B}[J".utf8))
  }

  /// Gives the terminal back; safe in a signal handler.
  static func restore() {
    write(farewell)
    if var formerAttributes { tcsetattr(STDIN_FILENO, TCSANOW, &formerAttributes) }
  }

  private static func write(_ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(STDOUT_FILENO, $0.baseAddress.map { $0 + done }, bytes.count - done)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      done += count
    }
  }

  /// Keys that have been pressed; nil at the end of the input.
  func keys() -> [TopModel.Key]? {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(STDIN_FILENO, &bytes, bytes.count)
    if count < 0, errno == EINTR || errno == EAGAIN { return [] }
    return count > 0 ? Self.keys(in: bytes.prefix(count)) : nil
  }

  /// Cursor keys as terminals send them in both of their modes; other sequences are left out.
  static func keys(in bytes: some Collection<UInt8>) -> [TopModel.Key] {
    var keys: [TopModel.Key] = []
    var rest = Array(bytes)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case 0x03: keys.append(.interrupt)
      case 0x0A, 0x0D: keys.append(.enter)
      case 0x08, 0x7F: keys.append(.backspace)
      case 0x1B:
        guard let kind = rest.first, kind == 0x5B || kind == 0x4F else {
          keys.append(.escape)
          continue
        }
        rest.removeFirst()
        let end = rest.firstIndex { 0x40...0x7E ~= $0 }
        if let end, rest[end] == 0x41 { keys.append(.up) }
        if let end, rest[end] == 0x42 { keys.append(.down) }
        rest = end.map { rest[($0 + 1)...] } ?? []
      case 0x20...0x7E: keys.append(.character(Character(Unicode.Scalar(byte))))
      default: break
      }
    }
    return keys
  }
}
