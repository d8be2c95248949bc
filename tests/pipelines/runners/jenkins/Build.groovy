import groovy.json.JsonOutput

import java.nio.file.Files

/** What a declarative pipeline refuses: a word that the shim does not know, or a section of a wrong shape. */
class Refused extends RuntimeException {
    Refused(String message) { super(message) }
}

/** A step that failed: the stage fails, and the stages after it are skipped. */
class Failed extends RuntimeException {
    Failed(String message) { super(message) }
}

/** One build: its environment, its workspaces, its log, and what became of each stage. */
class Build {
    final Map plan
    final Map<String, String> env
    final Map<String, Object> params
    final File log
    final List<Map> stages = []
    final Map<String, Object> declared = [options: [], triggers: [], parameters: []]
    final String cookie
    String result = 'SUCCESS'
    List<String> changed = []
    Set<String> checkedOut = [] as Set
    boolean skipCheckout = false

    Build(Map plan) {
        this.plan = plan
        this.log = new File(plan.log as String)
        this.cookie = "cookie-${plan.number}"
        this.params = [:] + (plan.params as Map ?: [:])
        this.env = [
            BRANCH_NAME: plan.branch, BUILD_ID: plan.number, BUILD_NUMBER: plan.number, BUILD_TAG: "jenkins-${plan.number}",
            BUILD_URL: 'http://127.0.0.1:9/', CI: 'true', GIT_COMMIT: plan.sha, GIT_BRANCH: "origin/${plan.branch}",
            HOME: plan.home, JENKINS_NODE_COOKIE: cookie, JENKINS_URL: 'http://127.0.0.1:9/', JOB_NAME: 'models',
        ].collectEntries { key, value -> [key, value as String] } + (plan.environment as Map<String, String>)
        if (plan.change) env.CHANGE_ID = plan.change as String
    }

    void say(String line) { log << "${line}\n" }

    /** The folder of an agent; a new one is a clone, an old one is brought to the commit and not cleaned, as Jenkins does. */
    File workspace(String label) {
        def folder = new File("${plan.work}/${label.replaceAll(/\W+/, '-')}")
        folder.mkdirs()
        return folder
    }

    void checkout(File folder) {
        if (!new File(folder, '.git').exists()) {
            shell(folder, "git init --quiet --initial-branch=main && git remote add origin '${plan.repository}'", env)
        }
        shell(folder, "git fetch --quiet origin '+refs/heads/*:refs/remotes/origin/*' && git checkout --quiet --force ${plan.sha}", env)
        checkedOut << folder.path
        // Jenkins knows what changed only from the first checkout on: before it, conditions see a build without changes.
        changed = plan.changed as List<String>
    }

    /** Runs a script as Jenkins does: `sh -xe`, or the program of its first line. Returns [exit code, standard output]. */
    List shell(File folder, String script, Map<String, String> environment, boolean keep = false) {
        def file = File.createTempFile('step', '.sh', new File(plan.temp as String))
        file.text = script
        file.executable = true
        def out = keep ? File.createTempFile('step', '.out', new File(plan.temp as String)) : log
        say("+ [sh] ${script}")
        def command = script.startsWith('#!') ? [file.path] : ['sh', '-xe', file.path]
        def builder = new ProcessBuilder(command).directory(folder)
        builder.environment().clear()
        builder.environment().putAll(environment.collectEntries { key, value -> [key as String, value as String] } as Map<String, String>)
        builder.redirectInput(new File('/dev/null'))
        builder.redirectError(ProcessBuilder.Redirect.appendTo(log))
        builder.redirectOutput(ProcessBuilder.Redirect.appendTo(out))
        def code = builder.start().waitFor()
        say("+ [exit] ${code}")
        return [code, keep ? out.text : '']
    }

    /** Jenkins kills what still carries the cookie of the build when it ends. */
    void endOrphans() {
        new File('/proc').listFiles().findAll { it.name.isInteger() }.each { process ->
            try {
                def found = new String(Files.readAllBytes(new File(process, 'environ').toPath()), 'ISO-8859-1').split('\0') as List
                if (found.contains("JENKINS_NODE_COOKIE=${cookie}" as String)) {
                    ProcessHandle.of(process.name as long).ifPresent { it.destroyForcibly() }
                }
            } catch (IOException ignored) {
                // It ended meanwhile, or belongs to the kernel.
            }
        }
    }

    boolean approves(String question) { !(plan.rejects) }

    String secret(String id) {
        if (!(plan.secrets as Map)?.containsKey(id)) throw new Failed("ERROR: ${id}: no such credentials")
        return plan.secrets[id]
    }

    String told() { JsonOutput.toJson([result: result, stages: stages, declared: declared]) }
}
