import ArgumentParser
import Glibc
import HotlineCore
import HotlineWire

struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Show live what the daemon does.",
    discussion: """
      Keys: \(TopScreen.help). Ctrl-C quits too, and Esc ends a filter.

      \(ExitStatus.table)
      """)

  @OptionGroup var socketOptions: SocketOptions
  @Option(help: ArgumentHelp("Time between two looks, 0.1 to 3600.", valueName: "seconds"))
  var every = 1.0
  @Flag(help: "Print what it would show as lines of JSON, as watch does.") var json = false

  func validate() throws { try WatchCommand.check(every: every) }

  func run() throws {
    if json { return try WatchCommand.printLines(socketOptions, every: every, requests: false) }
    let socket = try DaemonSocket(connectingTo: socketOptions.path())
    var top = Top(socket, everyMilliseconds: Int((every * 1000).rounded()))
    try top.run()
  }
}

/// The poll loop of `top`.
struct Top {
  private let socket: DaemonSocket
  private var outgoing = ByteQueue()
  private var lines = LineReader(lineBytesMax: Question.lineBytesMax)
  private var model = TopModel()

  init(_ socket: DaemonSocket, everyMilliseconds: Int) {
    self.socket = socket
    outgoing.append(
      LocalLine.line { line in
        line.member("type", "hotline.watch")
        line.member("every_ms", everyMilliseconds)
      })
  }

  /// Runs until a key ends it.
  ///
  /// - Throws: `.unreachable` if the daemon goes.
  mutating func run() throws(CommandFailure) {
    let screen = try TerminalScreen()
    defer { TerminalScreen.restore() }
    let style = TextStyle(for: STDOUT_FILENO)
    while true {
      let (columns, rows) = screen.size
      screen.draw(
        TopScreen(
          model: model, columns: columns, rows: rows, style: style, isUnicode: screen.isUnicode
        ).lines)
      guard try step(screen) else { return }
    }
  }

  /// - Returns: false once it is over.
  private mutating func step(_ screen: TerminalScreen) throws(CommandFailure) -> Bool {
    var slots = [
      Polling.slot(STDIN_FILENO, POLLIN),
      Polling.slot(socket.descriptor, outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT),
    ]
    Polling.wait(for: &slots)
    if slots[0].isReadable {
      guard let keys = screen.keys() else { return false }
      for key in keys {
        switch model.keyPressed(key) {
        case .quit: return false
        case .cancel(let request): cancel(request)
        case nil: break
        }
      }
    }
    if slots[1].isWritable, !outgoing.isEmpty, !socket.send(&outgoing) { outgoing.removeAll() }
    if slots[1].isReadable { try receive() }
    return true
  }

  private mutating func receive() throws(CommandFailure) {
    let received = socket.receive(into: &lines.unread)
    while let isStatus = try lines.next({ line throws(CommandFailure) in
      let view = try Question.object(line)
      _ = model.lineArrived(line, at: .current())
      return view["type"]?.string == "hotline.status"
    }) {
      // Times and tokens are asked for as often as there is a status.
      if isStatus { outgoing.append(LocalLine.line { $0.member("type", "hotline.stats") }) }
    }
    guard received == .ended else { return }
    throw socket.closedByDaemon
  }

  private mutating func cancel(_ request: OpenRequest) {
    outgoing.append(
      LocalLine.line { line in
        line.member("type", "hotline.cancel")
        line.member("client", request.client)
        line.member("request_id", spelling: request.idSpelling)
      })
  }
}
