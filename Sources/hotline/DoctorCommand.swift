import ArgumentParser

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Find out what is wrong on the way to the server.",
    discussion: "Runs hotlined --doctor with the same arguments, see hotlined(8).")

  @Argument(parsing: .captureForPassthrough, help: "Options of hotlined.")
  var arguments: [String] = []

  func run() throws {
    throw DaemonProgram.missing(DaemonProgram.become(["--doctor"] + arguments))
  }
}
