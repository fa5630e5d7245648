/// How the program ends; from 64 on the numbers are those of sysexits(3), from 128 on a signal's.
enum ExitStatus: Int32, CaseIterable, Sendable {
  case completed = 0
  case failed = 1
  case usage = 2
  case incomplete = 3
  case unreachable = 69
  case retryLater = 75
  case notAllowed = 77
  case configuration = 78
  /// 128 + SIGINT.
  case interrupted = 130
  /// 128 + SIGPIPE: what a shell reports of programs that the signal ends.
  case brokenPipe = 141

  /// What a command with several outcomes ends with: the first of these that occurred.
  static let worstFirst: [ExitStatus] = [
    .failed, .incomplete, .retryLater, .notAllowed, .configuration, .unreachable,
  ]

  private var meaning: String {
    switch self {
    case .completed: "completed"
    case .failed: "failed"
    case .usage: "usage: an argument, or the text, is missing or wrong"
    case .incomplete: "incomplete: the answer was cut short"
    case .unreachable: "the daemon cannot be reached"
    case .retryLater: "retry later: the same request may succeed unchanged"
    case .notAllowed: "not allowed by the daemon"
    case .configuration: "configuration: the key, the server or the socket's path"
    case .interrupted: "interrupted (Ctrl-C)"
    case .brokenPipe: "whoever read the output has gone"
    }
  }

  /// The part of the help text that lists all of them.
  static var table: String {
    let lines = allCases.map { status in
      let number = String(status.rawValue)
      return "  " + String(repeating: " ", count: 3 - number.count) + number + "  " + status.meaning
    }
    return "Exit status:\n" + lines.joined(separator: "\n")
  }
}
