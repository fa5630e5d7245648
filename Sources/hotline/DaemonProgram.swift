import Glibc

/// `hotlined`, for what it does without running as a daemon.
enum DaemonProgram {
  /// Becomes hotlined with these arguments; returns the errno if that cannot be.
  static func become(_ arguments: [String]) -> Int32 {
    var pointers = (["hotlined"] + arguments).map { strdup($0) } + [nil]
    // The one that was installed with this program, else the first in the path.
    if let beside = besideThisProgram { execv(beside, &pointers) }
    execvp("hotlined", &pointers)
    return errno
  }

  /// Runs hotlined on this program's own terminal, and waits for its end.
  ///
  /// - Returns: its exit status; 128 and the signal that ended it.
  /// - Throws: `.failed` where it cannot be started.
  static func run(_ arguments: [String]) throws(CommandFailure) -> Int32 {
    var pointers = (["hotlined"] + arguments).map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var child: pid_t = 0
    var code = ENOENT
    if let beside = besideThisProgram {
      code = posix_spawn(&child, beside, nil, nil, &pointers, environ)
    }
    if code != 0 { code = posix_spawnp(&child, "hotlined", nil, nil, &pointers, environ) }
    guard code == 0 else { throw missing(code) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }

  static func missing(_ code: Int32) -> CommandFailure {
    CommandFailure(
      .failed,
      "hotlined cannot be started (\(systemMessage(code))); it has to be beside hotline or in $PATH"
    )
  }

  private static var besideThisProgram: String? {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &path, path.count - 1)
    guard count > 0 else { return nil }
    let text = String(decoding: path.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.lastIndex(of: "/").map { text[...$0] + "hotlined" }
  }
}
