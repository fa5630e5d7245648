import Foundation
import Glibc

/// The built `hotline`, started with its own descriptors.
final class Program: @unchecked Sendable {
  struct Ending: Hashable {
    /// As a shell has it: 128 and the signal's number for a program that a signal ended.
    var status: Int32
    var output: String
    var error: String
  }

  enum Output {
    case pipe, terminal
    /// A terminal of 80 columns and 24 rows, which is its standard input too.
    case console
    case closed
  }

  let processID: pid_t
  /// What it writes to standard output; -1 if that was closed.
  private(set) var output: Int32
  private var input: Int32
  private let error: Int32

  /// Between making a pipe and marking it, no other test may start a program that inherits it.
  private static let spawning = NSLock()

  /// - Parameters:
  ///   - socket: goes in $HOTLINE_SOCKET.
  ///   - isInputOpen: standard input is a pipe, to be written and ended; else it is empty.
  convenience init(
    _ arguments: String..., socket: String? = nil, variables: [String: String] = [:],
    isInputOpen: Bool = false, output kind: Output = .pipe, error errorKind: Output = .pipe
  ) {
    self.init(
      arguments: arguments, socket: socket, variables: variables, isInputOpen: isInputOpen,
      output: kind, error: errorKind)
  }

  init(
    arguments: [String], socket: String?, variables: [String: String] = [:],
    isInputOpen: Bool = false, output kind: Output = .pipe, error errorKind: Output = .pipe
  ) {
    Self.spawning.lock()
    defer { Self.spawning.unlock() }
    let (output, outputEnd) = Self.outputEnds(kind)
    let (inputEnd, input) =
      kind == .console
      ? (dup(outputEnd), dup(output))
      : isInputOpen ? Self.pipe() : (open("/dev/null", O_RDONLY), -1)
    if kind == .console { _ = fcntl(input, F_SETFD, FD_CLOEXEC) }
    let (error, errorEnd) = Self.outputEnds(errorKind)
    var variables = variables
    variables["HOTLINE_SOCKET"] = socket
    processID = Self.spawn(
      arguments, variables: variables, descriptors: [inputEnd, outputEnd, errorEnd])
    for end in [inputEnd, outputEnd, errorEnd] where end >= 0 { close(end) }
    (self.input, self.output, self.error) = (input, output, error)
  }

  private static func outputEnds(_ kind: Output) -> (reading: Int32, writing: Int32) {
    switch kind {
    case .pipe: return pipe()
    case .terminal: return Terminal.open()
    case .console: return Terminal.open(columns: 80, rows: 24)
    case .closed: return (-1, -1)
    }
  }

  private static func pipe() -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else { preconditionFailure("no pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func spawn(
    _ arguments: [String], variables: [String: String], descriptors: [Int32]
  ) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    for (number, descriptor) in descriptors.enumerated() {
      if descriptor < 0 {
        posix_spawn_file_actions_addclose(&actions, Int32(number))
      } else {
        posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
      }
    }
    // The program that runs the tests writes to pipes as well, and ignores one of these.
    signal(SIGPIPE, SIG_IGN)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    // Threads of the concurrency library block every signal, and a mask is inherited.
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    let settings = variables.map { "\($0.key)=\($0.value)" } + inherited
    let words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    let environment: [UnsafeMutablePointer<CChar>?] = settings.map { strdup($0) } + [nil]
    var processID = pid_t()
    let code = posix_spawn(&processID, path, &actions, &attributes, words, environment)
    guard code == 0 else { preconditionFailure("cannot start \(path): error \(code)") }
    for case let word? in words + environment { free(word) }
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
    return processID
  }

  /// What finds the Swift libraries of a debug build, and what tells a sanitizer where to report.
  private static var inherited: [String] {
    let own = ProcessInfo.processInfo.environment
    return ["LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS"].compactMap { name in
      own[name].map { "\(name)=\($0)" }
    }
  }

  /// In $HOTLINE_BIN_DIR, else beside the program that runs the tests.
  private static let path: String = {
    if let directory = ProcessInfo.processInfo.environment["HOTLINE_BIN_DIR"] {
      return directory + "/hotline"
    }
    let link = "/proc/self/exe"
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? link
    return URL(fileURLWithPath: own).deletingLastPathComponent().path + "/hotline"
  }()

  func interrupt() { kill(processID, SIGINT) }

  /// Writes to standard input, however long the program takes to read it.
  func write(_ bytes: [UInt8]) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      start += count
    }
  }

  func endInput() {
    close(input)
    input = -1
  }

  /// Reads exactly that many bytes of standard output, or fewer at its end.
  func readOutput(byteCount: Int) -> String {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    var filled = 0
    while filled < byteCount {
      let count = bytes.withUnsafeMutableBytes {
        read(output, $0.baseAddress! + filled, byteCount - filled)
      }
      guard count > 0 else { break }
      filled += count
    }
    return String(decoding: bytes[..<filled], as: UTF8.self)
  }

  /// Reads standard output until `condition` holds of all that came; false at its end.
  func readOutput(until condition: ([UInt8]) -> Bool) -> Bool {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while !condition(bytes) {
      let count = read(output, &chunk, chunk.count)
      guard count > 0 else { return false }
      bytes += chunk[..<count]
    }
    return true
  }

  /// Reads standard error until it has said that, or to its end.
  func readError(to words: String) -> String {
    var text = ""
    var byte: UInt8 = 0
    while !text.hasSuffix(words), read(error, &byte, 1) == 1 {
      text.unicodeScalars.append(Unicode.Scalar(byte))
    }
    return text
  }

  func closeOutput() {
    close(output)
    output = -1
  }

  /// Reads all that is left to its end and waits for the program.
  func finish() -> Ending {
    if input >= 0 { endInput() }
    let (output, error) = (self.output, self.error)
    let errorText = Box()
    let isRead = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      errorText.bytes = Self.readAll(error)
      isRead.signal()
    }
    let text = output < 0 ? [] : Self.readAll(output)
    isRead.wait()
    var status: Int32 = 0
    while waitpid(processID, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    return Ending(
      status: signal == 0 ? status >> 8 & 0xFF : 128 + signal,
      output: String(decoding: text, as: UTF8.self),
      error: String(decoding: errorText.bytes, as: UTF8.self))
  }

  private final class Box: @unchecked Sendable {
    var bytes: [UInt8] = []
  }

  private static func readAll(_ descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      // The end of a terminal whose other side was closed is EIO.
      let count = read(descriptor, &chunk, chunk.count)
      guard count > 0 else { break }
      bytes.append(contentsOf: chunk[..<count])
    }
    close(descriptor)
    return bytes
  }
}

/// A pseudo terminal (pty(7)) that passes bytes on as they are.
enum Terminal {
  static func open(columns: UInt16 = 0, rows: UInt16 = 0) -> (reading: Int32, writing: Int32) {
    let leader = Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var unlocked: Int32 = 0
    var number: Int32 = 0
    // TIOCSPTLCK and TIOCGPTN of ioctl_tty(2), which are not imported.
    guard ioctl(leader, 0x4004_5431, &unlocked) == 0, ioctl(leader, 0x8004_5430, &number) == 0
    else {
      preconditionFailure("no pseudo terminal")
    }
    let follower = Glibc.open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var attributes = termios()
    tcgetattr(follower, &attributes)
    attributes.c_oflag &= ~tcflag_t(OPOST)
    tcsetattr(follower, TCSANOW, &attributes)
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    if columns > 0 { _ = ioctl(leader, UInt(TIOCSWINSZ), &size) }
    return (leader, follower)
  }
}
