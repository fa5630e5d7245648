import CSystemd
import Glibc

/// What this process may use and leave behind. To be called at start, by the main thread.
package enum ProcessLimits {
  /// PR_SET_DUMPABLE of prctl(2).
  private static let setDumpable: Int32 = 4

  /// Keeps keys out of crash reports: no core dump is written, and no other process of this user
  /// may read this one's memory (ptrace(2)).
  ///
  /// RLIMIT_CORE alone does not keep one from a program that takes dumps by a pipe (core(5)).
  package static func forbidCoreDumps() {
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(Int32(RLIMIT_CORE.rawValue), &none)
    _ = hotline_prctl(setDumpable, 0, 0, 0, 0)
  }

  /// Raises the number of descriptors that may be open at once to the most that is allowed.
  ///
  /// Nothing here uses select(2), and no program is started that might.
  /// - Returns: how many there may be.
  package static func raiseDescriptors() -> Int {
    var limit = rlimit()
    guard getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    if limit.rlim_cur < limit.rlim_max {
      var raised = limit
      raised.rlim_cur = limit.rlim_max
      if setrlimit(Int32(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
    }
    return Int(clamping: limit.rlim_cur)
  }
}
