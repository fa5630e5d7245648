import Foundation
import Glibc

/// A process that a test started, with pipes to it; killed with the value at the latest.
///
/// Any thread.
package final class ChildProcess: @unchecked Sendable {
  /// How a process ended.
  package enum End: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)
  }

  package let pid: pid_t
  package let name: String
  package let standardOutput: CapturedOutput
  package let standardError: CapturedOutput
  // Guarded by `lock`.
  private var input: Int32
  private var ended: End?
  private let lock = NSLock()
  private static let starting = NSLock()

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - program: a path.
  ///   - environment: all of it; see ``Environment/clean(_:)``.
  ///   - input: a descriptor for its standard input instead of a pipe; it stays the caller's.
  /// - Throws: `TestFailure` if it cannot be started.
  package init(
    _ program: String, _ arguments: [String] = [], environment: [String: String] = [:],
    input standardInput: Int32? = nil
  ) throws {
    name = program.split(separator: "/").last.map(String.init) ?? program
    // A process started by another thread in between would keep the pipes' ends open.
    Self.starting.lock()
    defer { Self.starting.unlock() }
    let inPipe = try Pipe.open()
    let outPipe = try Pipe.open()
    let errorPipe = try Pipe.open()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, standardInput ?? inPipe.reading, 0)
    posix_spawn_file_actions_adddup2(&actions, outPipe.writing, 1)
    posix_spawn_file_actions_adddup2(&actions, errorPipe.writing, 2)
    OtherDescriptors.close(from: 3, &actions)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The runner may ignore signals or have them blocked; the program starts with neither.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var child: pid_t = 0
    let argv = CStrings([program] + arguments)
    let variables = CStrings(Environment.clean(environment).map { "\($0.key)=\($0.value)" })
    let result = posix_spawn(
      &child, program, &actions, &attributes, argv.pointers, variables.pointers)
    for descriptor in [inPipe.reading, outPipe.writing, errorPipe.writing] { close(descriptor) }
    input = inPipe.writing
    pid = child
    standardOutput = CapturedOutput("\(name)'s standard output", descriptor: outPipe.reading)
    standardError = CapturedOutput("\(name)'s standard error", descriptor: errorPipe.reading)
    guard result == 0 else {
      ended = .exited(127)
      throw TestFailure("cannot start \(program): \(String(cString: strerror(result)))")
    }
  }

  deinit {
    closeInput()
    if end() == nil {
      kill(pid, SIGKILL)
      _ = try? waitForEnd(within: .seconds(10))
    }
  }

  // MARK: Standard input

  /// - Throws: `TestFailure` if the process no longer reads.
  package func write(_ text: String) throws {
    try write(Array(text.utf8))
  }

  package func write(_ bytes: [UInt8]) throws {
    lock.lock()
    let descriptor = input
    lock.unlock()
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw TestFailure("\(name) no longer reads its standard input") }
      done += count
    }
  }

  package func closeInput() {
    lock.withLock {
      if input >= 0 { close(input) }
      input = -1
    }
  }

  // MARK: The end

  package func send(_ signal: Int32) {
    lock.withLock {
      // A pid that has been waited for may be somebody else's.
      if ended == nil { _ = kill(pid, signal) }
    }
  }

  /// How it ended, nil while it runs.
  package func end() -> End? {
    lock.withLock {
      if ended != nil { return ended }
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
      let signal = status & 0x7F
      ended = signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
      return ended
    }
  }

  @discardableResult
  package func waitForEnd(within duration: Duration = Deadline.usual) throws -> End {
    let end = try poll(for: "the end of \(name) (process \(pid))", within: duration) {
      self.end()
    }
    _ = try standardOutput.waitForEnd(within: duration)
    _ = try standardError.waitForEnd(within: duration)
    return end
  }

  /// Sends SIGTERM and waits.
  @discardableResult
  package func terminate(within duration: Duration = Deadline.usual) throws -> End {
    send(SIGTERM)
    return try waitForEnd(within: duration)
  }

  /// Runs a program to its end.
  package static func run(
    _ program: String, _ arguments: [String] = [], input: String = "",
    environment: [String: String] = [:], within duration: Duration = Deadline.usual
  ) throws -> (end: End, output: String, errors: String) {
    let process = try ChildProcess(program, arguments, environment: environment)
    try? process.write(input)
    process.closeInput()
    let end = try process.waitForEnd(within: duration)
    return (end, process.standardOutput.text, process.standardError.text)
  }
}

/// What the programs under test find in their environment.
package enum Environment {
  /// Only what programs need to run, and what the test gives: nothing of the user's own.
  package static func clean(_ own: [String: String]) -> [String: String] {
    let inherited = ProcessInfo.processInfo.environment
    var clean: [String: String] = ["LANG": "C.UTF-8"]
    for name in ["PATH", "LD_LIBRARY_PATH", "TSAN_OPTIONS", "ASAN_OPTIONS"] {
      clean[name] = inherited[name]
    }
    return clean.merging(own) { _, new in new }
  }
}

/// Descriptors of tests that run at the same time: a child that held them would keep connections
/// open that their tests have closed.
private enum OtherDescriptors {
  private typealias CloseFrom =
    @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

  /// `posix_spawn_file_actions_addclosefrom_np` of glibc 2.34, which Swift's module lacks.
  private static let closeFrom = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np")
    .map { unsafeBitCast($0, to: CloseFrom.self) }

  /// Has the child close them; an older C library does not.
  static func close(
    from first: Int32, _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>
  ) {
    _ = closeFrom?(actions, first)
  }
}

private struct Pipe {
  let reading: Int32
  let writing: Int32

  static func open() throws -> Pipe {
    // A write to a process that has gone is to fail, not to end the runner.
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw TestFailure("no pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return Pipe(reading: ends[0], writing: ends[1])
  }
}

/// NUL-terminated strings and a null pointer after the last, as exec(3) wants them.
private final class CStrings {
  let pointers: [UnsafeMutablePointer<CChar>?]

  init(_ strings: [String]) {
    pointers = strings.map { strdup($0) } + [nil]
  }

  deinit {
    for pointer in pointers { free(pointer) }
  }
}
