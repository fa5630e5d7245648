import Glibc
import HotlineCore

/// What `send` does when its arguments are understood.
struct Send: Hashable {
  var socket: String?
  /// Nil or "-" for standard input.
  var file: String?
  /// Requests that run at once; nil passes lines through.
  var jobs: Int?
  var isInOrder = false
  var resume: String?

  func run() throws(CommandFailure) {
    var input = STDIN_FILENO
    var name = "standard input"
    if let file, file != "-" {
      name = file
      input = open(file, O_RDONLY | O_CLOEXEC)
      guard input >= 0 else {
        throw CommandFailure(
          .usage, "cannot open \(name): \(systemMessage(errno)); name a file of JSON lines")
      }
    }
    if let jobs { return try run(jobs, InputLines(input, name: name)) }
    let socket = try DaemonSocket(connectingTo: SocketOptions.path(given: socket))
    var relay = LineRelay(input: input, inputName: name, socket: socket)
    try relay.run()
  }

  private func run(_ jobs: Int, _ lines: InputLines) throws(CommandFailure) {
    var finished: Set<String> = []
    if let resume { finished = try ResumeFile.finished(in: resume) }
    let total = try Self.count(lines, without: finished)
    let socket = try DaemonSocket(connectingTo: SocketOptions.path(given: socket))
    var runner = JobRunner(
      input: JobInput(lines), finished: finished, socket: socket,
      board: JobBoard(runningMax: jobs, isInOrder: isInOrder),
      progress: TransientLine().map { JobProgress(on: $0, total: total, at: .current()) })
    try runner.run()
  }

  /// Reads a file ahead, so that nothing is sent of one with a line that is wrong.
  ///
  /// - Returns: the number of requests to send; nil for a pipe.
  private static func count(
    _ lines: InputLines, without finished: Set<String>
  ) throws(CommandFailure) -> Int? {
    var status = stat()
    let start = lseek(lines.descriptor, 0, SEEK_CUR)
    guard fstat(lines.descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, start >= 0
    else { return nil }
    var input = JobInput(lines)
    var count = 0
    repeat {
      try input.read()
      while let job = try input.next() { count += finished.contains(job.key) ? 0 : 1 }
    } while !input.isRead
    lseek(lines.descriptor, start, SEEK_SET)
    return count
  }
}
