import ArgumentParser
import HotlineWire

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Print the daemon's status as a line of JSON, again and again.",
    discussion: ExitStatus.table)

  @OptionGroup var socketOptions: SocketOptions
  @Option(help: ArgumentHelp("Time between two lines, 0.1 to 3600.", valueName: "seconds"))
  var every = 1.0
  @Flag(help: "Print a line for each request as it ends, too.") var requests = false
  @Flag(help: "Print lines of JSON, as without it.") var json = false

  func validate() throws { try Self.check(every: every) }

  static func check(every: Double) throws {
    guard !(0.1...3600).contains(every) else { return }
    throw ValidationError(
      "The value \(every) is invalid for '--every <seconds>': it must be a number of seconds from "
        + "0.1 to 3600.")
  }

  func run() throws {
    try Self.printLines(socketOptions, every: every, requests: requests)
  }

  static func printLines(
    _ socketOptions: SocketOptions, every: Double, requests: Bool
  ) throws(CommandFailure) {
    let milliseconds = Int((every * 1000).rounded())
    try follow(socketOptions, everyMilliseconds: milliseconds, requests: requests) { line, _ in
      Array(line) + [0x0A]
    }
  }

  /// - Parameter everyMilliseconds: 0 for no status lines.
  static func follow(
    _ socketOptions: SocketOptions, everyMilliseconds: Int, requests: Bool,
    _ print: (UnsafeRawBufferPointer, JSONView) -> [UInt8]
  ) throws(CommandFailure) {
    let socket = try DaemonSocket(connectingTo: socketOptions.path())
    let line = LocalLine.line { line in
      line.member("type", "hotline.watch")
      line.member("every_ms", everyMilliseconds)
      line.member("requests", requests)
    }
    var follow = Follow(socket, line)
    try follow.run(print)
  }
}

struct TailCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tail",
    abstract: "Print one line for each request as it ends.",
    discussion: ExitStatus.table)

  @OptionGroup var socketOptions: SocketOptions
  @Flag(help: "Print a line of JSON for each.") var json = false

  func run() throws {
    let json = json
    try WatchCommand.follow(socketOptions, everyMilliseconds: 0, requests: true) { _, view in
      guard let request = view["request"] else { return [] }
      return json
        ? Array(request.bytes) + [0x0A] : Array((EndedRequest(request).sentence + "\n").utf8)
    }
  }
}
