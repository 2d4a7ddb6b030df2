package nice

import "syscall"

const able = true

// giveWay lowers the priority of the calling thread. In Linux a nice value is a thread's, whatever POSIX says. Where that is refused the
// thread is as good as any other.
func giveWay(niceness int) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
}
