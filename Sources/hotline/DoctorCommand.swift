import ArgumentParser
import Glibc

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Find out what is wrong on the way to the server.",
    discussion: "Runs hotlined --doctor with the same arguments, see hotlined(8).")

  @Argument(parsing: .captureForPassthrough, help: "Options of hotlined.")
  var arguments: [String] = []

  func run() throws {
    let arguments = ["hotlined", "--doctor"] + arguments
    var pointers = arguments.map { strdup($0) } + [nil]
    // The one that was installed with this program, else the first in the path.
    if let beside = Self.besideThisProgram { execv(beside, &pointers) }
    execvp("hotlined", &pointers)
    let reason = String(cString: strerror(errno))
    throw CommandFailure(
      .failed, "hotlined cannot be started (\(reason)); it has to be beside hotline or in $PATH")
  }

  private static var besideThisProgram: String? {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &path, path.count - 1)
    guard count > 0 else { return nil }
    let text = String(decoding: path.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.lastIndex(of: "/").map { text[...$0] + "hotlined" }
  }
}
