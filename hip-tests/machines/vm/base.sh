# Makes a Debian system to boot, in the working directory: root.img, vmlinuz, initrd.img. Its argument: a mirror, and
# where given its keyring. Runs in mount and process namespaces of its own.
set -e
packages=systemd-sysv,udev,dbus,kmod,linux-image-cloud-amd64,initramfs-tools,zstd,strace
packages=$packages,apparmor,selinux-policy-default,selinux-utils,policycoreutils
mmdebstrap --mode=root --variant=minbase --dpkgopt=force-unsafe-io --include="$packages" ${2:+--keyring="$2"} \
    bookworm root "deb $1 bookworm main"

# What the tests talk to.
install -m 755 agent root/usr/local/sbin/agent
install -m 644 agent.service root/etc/systemd/system/agent.service
chroot root systemctl enable agent.service
# Nothing that a clock starts: it would come between a test and what it looks at.
chroot root systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer getty@tty1.service man-db.timer selinux-autorelabel-mark.service
# Compiling these profiles is the longest part of a boot, and their programs are not there.
ln -s /etc/apparmor.d/lsb_release /etc/apparmor.d/nvidia_modprobe root/etc/apparmor.d/disable/
# A busy machine that emulates the processor may need long for a short thing.
mkdir root/etc/systemd/system.conf.d
printf '%s\n' '[Manager]' DefaultTimeoutStartSec=1h DefaultDeviceTimeoutSec=1h > root/etc/systemd/system.conf.d/vm.conf
echo vm > root/etc/hostname
echo '/dev/vda / ext4 errors=remount-ro 0 1' > root/etc/fstab

# An initramfs with no more than the machine has, because one is unpacked at every boot.
echo MODULES=list > root/etc/initramfs-tools/conf.d/vm
printf '%s\n' virtio_pci virtio_blk virtio_console > root/etc/initramfs-tools/modules
mount -t proc proc root/proc
chroot root update-initramfs -u
cp root/boot/vmlinuz-* vmlinuz
cp root/boot/initrd.img-* initrd.img

# SELinux's labels, for the boots that have it.
rm -rf root/var/cache/apt/archives/*.deb root/var/lib/apt/lists/*
chroot root setfiles -F /etc/selinux/default/contexts/files/file_contexts /
umount root/proc
mke2fs -q -t ext4 -d root root.img 2G
rm -rf root
