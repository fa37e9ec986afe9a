throw new Error("the disk of this plugin's author is on fire");
