import Foundation
import Testing

/// What a test needs beside this package, and where it is.
package enum Requires {
  /// For tests with programs that may be missing: they are skipped with that reason; where
  /// `$CI` is `true` they run, and fail.
  package static func tools(_ names: String...) -> ConditionTrait {
    let missing = names.filter { path(ofTool: $0) == nil }
    let reason = "these tools are missing: \(missing.joined(separator: ", "))"
    return .enabled(if: missing.isEmpty || isCI, "\(reason)")
  }

  /// For tests with Python packages, which are in the virtual environment `$HOTLINE_VENV`.
  package static var pythonPackages: ConditionTrait {
    .enabled(
      if: pythonPath != nil || isCI,
      "$HOTLINE_VENV names no Python virtual environment (contrib/test makes it)")
  }

  /// For tests with OpenAI's SDK, which is in the same environment.
  package static var pythonOpenAI: ConditionTrait {
    let find = "import importlib.util as u, sys; sys.exit(u.find_spec('openai') is None)"
    return .enabled(
      if: isCI || pythonPath.map { succeeds([$0, "-c", find]) } ?? false,
      "$HOTLINE_VENV names no Python virtual environment with openai (contrib/test makes it)")
  }

  /// For tests with a part of a tool that may be missing, shown to be there by this command.
  package static func part(_ what: String, shownBy command: String...) -> ConditionTrait {
    .enabled(if: isCI || succeeds(command), "\(what) is missing")
  }

  private static func succeeds(_ command: [String]) -> Bool {
    let isPath = command[0].hasPrefix("/")
    guard let tool = isPath ? command[0] : path(ofTool: command[0]) else { return false }
    let ran = try? ChildProcess.run(tool, Array(command.dropFirst()))
    return ran?.end == .exited(0)
  }

  /// Nothing that is installed makes up for it, so not even a CI has to have it.
  package static var ipv6Loopback: ConditionTrait {
    .enabled(if: LoopbackPort.hasIPv6, "this machine has no IPv6 loopback")
  }

  package static var root: ConditionTrait {
    .enabled(if: getuid() == 0 || isCI, "it needs another uid, which only root can take")
  }

  private static var isCI: Bool { variable("CI") == "true" }

  private static func variable(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  // MARK: Paths

  /// The path of a program in `$PATH` or where administrators' programs are.
  package static func path(ofTool name: String) -> String? {
    let directories = (variable("PATH") ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
    return (directories + ["/usr/local/sbin", "/usr/sbin", "/sbin"])
      .map { "\($0)/\(name)" }
      .first { access($0, X_OK) == 0 }
  }

  /// - Throws: `TestFailure` that names the tool.
  package static func tool(_ name: String) throws -> String {
    guard let path = path(ofTool: name) else { throw TestFailure("\(name) is not installed") }
    return path
  }

  private static var pythonPath: String? {
    variable("HOTLINE_VENV").map { "\($0)/bin/python" }.flatMap {
      access($0, X_OK) == 0 ? $0 : nil
    }
  }

  /// The Python that has the packages of `contrib/requirements.txt`.
  package static func python() throws -> String {
    guard let path = pythonPath else { throw TestFailure("$HOTLINE_VENV has no bin/python") }
    return path
  }

  /// A program of this package: in `$HOTLINE_BIN_DIR`, else beside the test bundle.
  package static func program(_ name: String) throws -> String {
    let directory =
      variable("HOTLINE_BIN_DIR")
      ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    let path = "\(directory)/\(name)"
    guard access(path, X_OK) == 0 else { throw TestFailure("there is no program \(path)") }
    return path
  }
}
