import Glibc

/// The end of the pipe that the signal handler writes to; set once, before the handler is.
nonisolated(unsafe) private var interruptPipe: Int32 = -1

/// Ctrl-C as something that can be polled: one byte on a pipe for each SIGINT.
struct InterruptSignal {
  /// -1 where SIGINT was ignored when the program began, as nohup and background jobs have it.
  let descriptor: Int32

  /// Takes SIGINT over for the rest of the program.
  init() {
    var former = sigaction()
    sigaction(SIGINT, nil, &former)
    var ends: [Int32] = [-1, -1]
    let isIgnored = former.__sigaction_handler.sa_handler.map(Self.address) == Self.address(SIG_IGN)
    guard !isIgnored, pipe(&ends) == 0 else {
      descriptor = -1
      return
    }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    descriptor = ends[0]
    interruptPipe = ends[1]
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in
      let code = errno
      var byte: UInt8 = 1
      _ = write(interruptPipe, &byte, 1)
      errno = code
    }
    // Without SA_RESTART: a write that hangs at a stopped terminal comes back.
    sigaction(SIGINT, &action, nil)
  }

  private static func address(_ handler: @escaping @convention(c) (Int32) -> Void) -> Int {
    unsafeBitCast(handler, to: Int.self)
  }

  /// How often the signal has come since this was last asked.
  func takeCount() -> Int {
    var bytes: [UInt8] = [0, 0, 0, 0]
    return max(0, read(descriptor, &bytes, bytes.count))
  }
}
