import Glibc

/// What the program does to descriptors 0, 1 and 2 beside reading and writing.
enum StandardDescriptors {
  /// Keeps a socket from taking the number of a standard descriptor that was closed, and lets a
  /// write to a pipe without reader fail with EPIPE instead of ending the program.
  static func prepare() {
    for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is this one; what is written to it then fails as it would have.
      _ = open("/dev/null", O_RDONLY)
    }
    signal(SIGPIPE, SIG_IGN)
  }

  /// Writes to standard error; there is nobody left to tell if that fails.
  static func writeError(_ text: String) {
    var error = OutputWriter(descriptor: STDERR_FILENO)
    error.append(text)
    try? error.writeAll()
  }
}

/// The words of the C library for an `errno`.
func systemMessage(_ code: Int32) -> String {
  strerror(code).map { String(cString: $0) } ?? "error \(code)"
}
