import Foundation
import Testing

@Suite struct RepositoryTests {
  @Test func nothingIsLeftToDo() {
    let marks = ["TO" + "DO", "FIX" + "ME", "unimple" + "mented"]
    for file in SourceTree.all {
      for (index, line) in file.lines.enumerated() where marks.contains(where: line.contains) {
        Issue.record("\(file.path):\(index + 1): \(line)")
      }
    }
  }

  @Test func noPathOfOneMachine() {
    let paths = ["/wo" + "rk/", "/ro" + "ot/"]
    for file in SourceTree.all {
      for (index, line) in file.lines.enumerated() where paths.contains(where: line.contains) {
        Issue.record("\(file.path):\(index + 1): \(line)")
      }
    }
  }

  @Test func thePackageIsUnderItsLicence() throws {
    let text = try #require(SourceTree.file("LICENSE")).text
    #expect(text.contains("Apache License"))
    #expect(text.contains("Version 2.0"))
  }

  @Test(arguments: ["Package.resolved", ".build*/"])
  func gitIgnores(what: String) throws {
    #expect(try #require(SourceTree.file(".gitignore")).lines.contains(what))
  }

  /// A README says in a few lines what lies in its folder, each thing by its name.
  @Test(
    arguments: ["Sources", "Tests", "Packaging", "contrib", "contrib/clients", "contrib/plugins"])
  func aFoldersREADMENamesAllThatLiesThere(folder: String) throws {
    let readme = try #require(SourceTree.file("\(folder)/README.md"))
    #expect(readme.lines.count < 50)
    for name in SourceTree.names(in: folder) where name != "README.md" {
      #expect(readme.text.contains("`\(name)"), "\(folder)/README.md does not name \(name)")
    }
  }

  @Test func scriptsCanBeRun() {
    for file in SourceTree.all where file.lines.first?.hasPrefix("#!") == true {
      #expect(SourceTree.isExecutable(file.path), "\(file.path) is not executable")
    }
  }

  @Test func bashReadsItsScripts() throws {
    let scripts = SourceTree.all.filter { file in
      file.path.hasSuffix(".bash") || file.lines.first?.hasSuffix("bash") == true
    }
    #expect(scripts.count >= 4)
    for script in scripts {
      let bash = Process()
      bash.executableURL = URL(filePath: "/bin/bash")
      bash.arguments = ["-n", script.path]
      bash.currentDirectoryURL = SourceTree.root
      try bash.run()
      bash.waitUntilExit()
      #expect(bash.terminationStatus == 0, "\(script.path)")
    }
  }

  /// socat leaves after half a second of silence without it, and the request is cancelled.
  @Test func everySocatWaitsLongEnough() {
    for file in SourceTree.all where !file.path.hasSuffix(".swift") {
      for (index, line) in file.lines.enumerated()
      where line.contains("socat ") && line.contains("UNIX-CONNECT") {
        #expect(line.contains("-t "), "\(file.path):\(index + 1): socat without -t")
      }
    }
  }
}
